#!/usr/bin/env bash
# deploy/audit.sh PYTHON: what is known about the parts this workstation is made of.
# Writes build/audit: vulnerabilities.txt, licences.csv, sbom.json (CycloneDX), containerfile.txt.
# A report: a part that cannot be looked at says so, and the exit status stays 0.
set -uo pipefail
cd "$(dirname "$0")/.."
runtime=${1:-.venv/bin/python}
out=build/audit
tools=build/audit-tools
mkdir -p "$out"

if [ ! -x "$tools/bin/pip-audit" ] || [ requirements-audit.txt -nt "$tools" ]; then
  "$runtime" -m venv "$tools" &&
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
      -r requirements-audit.txt || { echo "The tools could not be installed."; exit 1; }
  touch "$tools"
fi

report() { # report FILE WHAT COMMAND...: keep what it says, and say where
  local file=$1 what=$2
  shift 2
  if "$@" >"$out/$file" 2>"$out/$file.log"; then
    rm -f "$out/$file.log"
    echo "$what: $out/$file"
  else
    cat "$out/$file.log" >>"$out/$file"
    rm -f "$out/$file.log"
    echo "$what: see $out/$file; it found something, or could not be reached"
  fi
}

report vulnerabilities.txt "Known vulnerabilities" \
  timeout 120 "$tools/bin/pip-audit" --requirement requirements.txt --no-deps --disable-pip \
  --progress-spinner off
report licences.csv "Licences" \
  "$tools/bin/pip-licenses" --python "$runtime" --format csv --with-urls
report sbom.json "Parts (CycloneDX)" \
  "$tools/bin/cyclonedx-py" environment "$runtime" --output-format JSON
report containerfile.txt "Containerfile" \
  "$tools/bin/hadolint" --no-color deploy/Containerfile
exit 0

#!/usr/bin/env bash
# deploy/audit.sh PYTHON: what is known about the parts this workstation is made of.
# Writes build/audit: vulnerabilities.txt, licences.csv, sbom.json (CycloneDX), containerfile.txt.
# Each part is said to be clean, to have findings, or not to be done, and why.
# Exit status: 0 all parts were done and are clean; 1 something was found; 2 a part was not done.
set -uo pipefail
cd "$(dirname "$0")/.."
runtime=${1:-.venv/bin/python}
out=${AUDIT_OUT:-build/audit}
tools=${AUDIT_TOOLS:-build/audit-tools}
mkdir -p "$out" || exit 2
status=0

if [ ! -x "$tools/bin/pip-audit" ] || [ requirements-audit.txt -nt "$tools" ]; then
  if ! { "$runtime" -m venv "$tools" &&
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
      -r requirements-audit.txt; }; then
    echo "Nothing was audited: the tools could not be installed."
    exit 2
  fi
  touch "$tools"
fi

say() { # say FILE WHAT STATUS SENTENCE: what became of a part; the worst status is the script's
  echo "$2: $4 ($out/$1)"
  if [ "$3" -gt "$status" ]; then status=$3; fi
}

part() { # part FILE WHAT FOUND COMMAND...: FOUND is a pattern that only findings match
  local file=$1 what=$2 found=$3 code=0
  shift 3
  rm -f "$out/$file"
  "$@" >"$out/$file" 2>"$out/$file.log" || code=$?
  local why
  why=$(grep -v '^[[:space:]]*$' "$out/$file.log" | tail -1)
  if [ "$code" -ne 0 ] || [ ! -s "$out/$file" ]; then cat "$out/$file.log" >>"$out/$file"; fi
  rm -f "$out/$file.log"
  if [ -n "$found" ] && grep -qE 'Skip Reason' "$out/$file"; then
    say "$file" "$what" 2 "not done for every package: some could not be looked up"
  elif [ "$code" -eq 124 ]; then
    say "$file" "$what" 2 "not done: it took too long"
  elif [ -n "$found" ] && [ "$code" -eq 1 ] && grep -qE "$found" "$out/$file"; then
    say "$file" "$what" 1 "found something"
  elif [ "$code" -ne 0 ]; then
    say "$file" "$what" 2 "not done: ${why:-it ended with status $code}"
  elif [ -z "$found" ] && [ ! -s "$out/$file" ]; then
    say "$file" "$what" 2 "not done: nothing was written"
  else
    say "$file" "$what" 0 "${clean:-clean}"
  fi
}

part vulnerabilities.txt "Known vulnerabilities" 'Found [0-9]+ known vulnerabilit' \
  timeout 120 "$tools/bin/pip-audit" --requirement requirements.txt --no-deps --disable-pip \
  --progress-spinner off
clean="written" part licences.csv "Licences" '' \
  timeout 120 "$tools/bin/pip-licenses" --python "$runtime" --format csv --with-urls
clean="written" part sbom.json "Parts (CycloneDX)" '' \
  timeout 120 "$tools/bin/cyclonedx-py" environment "$runtime" --output-format JSON
part containerfile.txt "Containerfile" '^[^ ]*Containerfile:[0-9]+' \
  timeout 120 "$tools/bin/hadolint" --no-color deploy/Containerfile
case $status in
0) echo "All parts were audited and are clean." ;;
1) echo "All parts were audited; something was found." ;;
2) echo "Not all parts were audited: this is no clean result." ;;
esac
exit "$status"

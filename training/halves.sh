# The eleven real cores whose stain matches their score, in two halves: the shipped models learn from
# half a and are tested on half b. Sourced by demo.sh and evaluation.sh.
zero_a=a6d0d6a6,ccb66c10
stained_a=154ae963,f8a2cea0,a5593c5e
zero_b=9b0f64d1,aa1da043
stained_b=fb95908d,0123a214,da5928b4,a1f1510c

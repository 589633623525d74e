# What the scripts of this folder share. A core file is nobody's wish here.
ulimit -c 0
failed=0
unset PYTHONMALLOC PYTHONDEVMODE PYTHONMALLOCSTATS PYTHONTRACEMALLOC REHEAP_PYTHON_VERSION REHEAP_PYTHON_BUILD PYTHON_PYMALLOC_HUGEPAGES
out=$TEST_TMPDIR/out err=$TEST_TMPDIR/err

# run STATUS COMMAND...: runs it, output into $out and $err; complains when the exit status is none of STATUS ("134|139").
run() {
    local wanted=$1 status
    shift
    { "$@" >"$out" 2>"$err"; } 2>/dev/null # the shell's own word on a signal
    status=$?
    [[ $status =~ ^($wanted)$ ]] || complain "$*: status $status instead of $wanted: $(head -c 2000 "$out" "$err")"
}

complain() {
    echo "$*"
    failed=1
}

# holds FILE TEXT / lacks FILE TEXT
holds() { grep -qF -- "$2" "$1" || complain "'$2' is not in: $(head -c 2000 "$1")"; }
lacks() { ! grep -qF -- "$2" "$1" || complain "'$2' is in: $(head -c 2000 "$1")"; }

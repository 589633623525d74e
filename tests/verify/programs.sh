# Real programs to record, none written for the test. Each function prepares its input below $work, with $python (a path)
# but unrecorded, and sets `command`. An input is as large as a million allocator events ask for. Returns 1 and sets
# `reason` where this interpreter lacks the program.

standard_library() { "$python" -c 'import os; print(os.path.dirname(os.__file__))'; }

needs_module() { # MODULE PACKAGE
    "$python" -c "import $1" 2>/dev/null && return
    reason="$python has no module $1 (Debian package $2)"
    return 1
}

# A tree of sources that may be written beside: the larger part of the standard library.
copy_sources() { # FOLDER MODULE...
    local folder=$1 library
    shift
    library=$(standard_library)
    mkdir -p "$folder"
    (cd "$library" && cp -r "$@" "$folder/")
    find "$folder" -name __pycache__ -prune -exec rm -rf {} +
}

# The compiler: tokens, parse trees, code objects.
program_compileall() {
    copy_sources "$work/sources" asyncio collections ctypes distutils email encodings http importlib json logging \
        multiprocessing pydoc_data sqlite3 unittest xml _pydecimal.py argparse.py datetime.py inspect.py pydoc.py \
        tarfile.py turtle.py typing.py 2>/dev/null
    command=("$python" -m compileall -q -f "$work/sources")
}

# A compiler of the older kind, wholly in Python: a parser generator, a tree, and the fixers over it.
program_lib2to3() {
    needs_module lib2to3 python3-lib2to3 2>/dev/null || return 1
    copy_sources "$work/sources" logging argparse.py
    command=("$python" -W ignore -m lib2to3 "$work/sources")
}

# JSON: the parser builds a tree, the printer walks it.
program_json() {
    "$python" - "$work/packages.json" <<'END'
import json, sys
packages, package = [], {}
with open("/var/lib/dpkg/status", encoding="utf-8") as status:
    for line in status:
        if line == "\n":
            packages.append(package)
            package = {}
        elif line[0] != " " and ":" in line:
            key, value = line.split(":", 1)
            words = value.strip().split(", ")
            package[key] = words if len(words) > 1 else words[0]
copies = 40000 // len(packages) + 1
with open(sys.argv[1], "w") as out:
    json.dump([dict(package, Copy=copy) for copy in range(copies) for package in packages], out)
END
    command=("$python" -m json.tool "$work/packages.json" "$work/pretty.json")
}

# Text: a lexer of regular expressions and a formatter that writes HTML.
program_pygments() {
    needs_module pygments python3-pygments || return 1
    cat "$(standard_library)"/{typing,inspect,turtle,argparse,_pydecimal}.py >"$work/long.py"
    command=("$python" -m pygments -l python -f html -o "$work/long.html" "$work/long.py")
}

# A formatter: a tokenizer, a syntax tree, lines split and joined.
program_black() {
    needs_module black black || return 1
    cp "$(standard_library)/typing.py" "$work/ugly.py"
    command=("$python" -m black -q "$work/ugly.py")
}

# A linter: types inferred over an abstract syntax tree. It finds fault with the input, as it should.
program_pylint() {
    needs_module pylint pylint || return 1
    copy_sources "$work/sources" json
    command=("$python" -m pylint --disable=all --enable=E "$work/sources/json")
}

# Another linter, lighter, over more.
program_pyflakes() {
    needs_module pyflakes python3-pyflakes || return 1
    copy_sources "$work/sources" asyncio email http logging xml argparse.py inspect.py turtle.py typing.py
    command=("$python" -m pyflakes "$work/sources")
}

# A build tool that runs its jobs in threads: here, copies and archives of a tree.
program_scons() {
    needs_module SCons scons || return 1
    mkdir -p "$work/tree/in"
    local i
    for i in $(seq 400); do
        printf '#include "part%d.h"\nint part%d;\n' $((i % 40)) "$i" >"$work/tree/in/part$i.c"
        echo "extern int part$i;" >"$work/tree/in/part$i.h"
    done
    cat >"$work/tree/SConstruct" <<'END'
env = Environment(CPPPATH=["in"])
for source in Glob("in/*.c"):
    env.Command("out/" + source.name, source, [Copy("$TARGET", "$SOURCE"), Chmod("$TARGET", 0o644)])
    Depends("out/" + source.name, "in/" + source.name[:-1] + "h")
END
    command=("$python" -m SCons -Q -j 4 -C "$work/tree")
}

# The interpreter's own test suites, which run threads, generators, coroutines and every container.
test_suite() { # SUITE...
    needs_module test "libpython3-testsuite" || return 1
    command=("$python" -W ignore -m test -q "$@")
}
program_suite_containers() { test_suite test_dict test_list test_set test_collections test_json; }
program_suite_threads() { test_suite test_queue test_thread test_threading_local test_functools; }

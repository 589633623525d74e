#!/usr/bin/env bash
# The launcher, with stand-ins for Bazel and apt-get that write down how they were called: what it builds and when, where
# it keeps the copy, what it installs, and what it says where it cannot.
. "${BASH_SOURCE[0]%/*}/lib.sh"

# A tree of sources with a space in its path, which Bazel would refuse, and a folder of stand-ins that comes first on PATH.
tree="$TMP/a tree"
mkdir -p "$tree" bin home
cp -rL "$runfiles/reheap" "$runfiles/third_party" "$tree/"
for file in .bazelrc BUILD WORKSPACE reheap.c base/a.c alloc/a.c traces/a.c replay/a.c analysis/a.c; do
    mkdir -p "$tree/$(dirname "$file")" && echo "$file" >"$tree/$file"
done
launcher=$tree/reheap

stand_in() { # NAME, text of the script on stdin
    { echo '#!/bin/bash'; cat; } >"bin/$1"
    chmod +x "bin/$1"
}
# Builds a "program" that prints its arguments and the tree it was built from.
stand_in bazel <<END
case \$PWD in *\ *) echo "no spaces, please"; exit 36 ;; esac
[ -e reheap.c ] || { echo "not in a workspace"; exit 2; }
echo "\$*" >>"$TMP/bazel.calls"
[ ! -e "$TMP/slow" ] || sleep 1
[ ! -e "$TMP/broken" ] || { echo 'a.c:1: error: expected a declaration'; exit 1; }
case \$* in
*" bazel-bin"*) echo "$TMP/bazel-bin" ;;
*)
    echo "[1 / 2] Compiling a.c; 0s local"
    mkdir -p "$TMP/bazel-bin/traces"
    echo library | tee "$TMP/bazel-bin/traces/libreheap_record.so" >"$TMP/bazel-bin/traces/libreheap_record_malloc.so"
    { echo '#!/bin/bash'; echo 'echo "ran:" "\$@"; exit 7'; } >"$TMP/bazel-bin/reheap_program"
    chmod +x "$TMP/bazel-bin/reheap_program"
    ;;
esac
END
stand_in apt-get <<END
echo "\$*" >>"$TMP/apt.calls"
[ ! -e "$TMP/no-network" ]
END
stand_in dpkg-query <<END
for package; do
    [ "\$package" = "\$(cat "$TMP/missing" 2>/dev/null)" ] || printf 'installed:%s ' "\$package"
done
END
stand_in id <<END
if [ "\$*" = -u ]; then cat "$TMP/uid"; else exec /usr/bin/id "\$@"; fi
END
stand_in sudo <<END
echo "\$*" >>"$TMP/sudo.calls"
[ -e "$TMP/sudo-works" ] || exit 1
[ "\$1" != -n ] || shift
exec "\$@"
END
stand_in uname <<END
cat "$TMP/system"
END
echo 0 >uid
echo "Linux x86_64" >system

run() { env -i PATH="$TMP/bin:/usr/bin:/bin" HOME="$TMP/home" "$@"; }
calls() { cat "$1.calls" 2>/dev/null | wc -l; }
forget() { rm -rf home/.cache ./*.calls missing; }

# The first call builds and hands over arguments and exit code; the second asks nobody.
expect 7 '^ran: replay a b  c$' run "$launcher" replay a 'b  c'
same "bazel is called twice, to build and to be asked where" 2 "$(calls bazel)"
grep -q -- '--config=release' bazel.calls || problem "not the release configuration"
expect 7 '^ran: info$' run "$launcher" info
same "no second build" 2 "$(calls bazel)"
same "nothing installed" 0 "$(calls apt)"
[ ! -s err ] || problem "the second call talks: $(cat err)"

# By way of a link, from elsewhere.
ln -s "$launcher" home/link
expect 7 '^ran: info$' run home/link info
same "no build through a link" 2 "$(calls bazel)"

# A changed source means a build; the old text means the old copy, times do not count.
echo changed >"$tree/base/a.c"
expect 7 '^ran: info$' run "$launcher" info
same "built again" 4 "$(calls bazel)"
echo base/a.c >"$tree/base/a.c"
expect 7 '^ran: info$' run "$launcher" info
same "the old copy is found" 4 "$(calls bazel)"

# Old copies go, the last few stay.
for i in 1 2 3 4 5; do
    find home/.cache -name last-use -exec touch -d '3 days ago' {} +
    echo "$i" >"$tree/base/a.c"
    run "$launcher" info >/dev/null 2>&1
done
same "copies kept" 3 "$(find home/.cache/reheap -name last-use | wc -l)"

# Two at once: one builds, the other waits.
forget
touch slow
run "$launcher" one >one.out 2>&1 & first=$!
run "$launcher" two >two.out 2>&1
wait "$first"
rm slow
same "two calls at once build once" 2 "$(calls bazel)"
grep -q '^ran: one' one.out && grep -q '^ran: two' two.out || problem "one of two calls did not run"

# A build that fails shows why, leaves nothing, and is tried again.
forget
touch broken
expect 4 'a.c:1: error' run "$launcher" info
same "no copy of a failed build" "" "$(find home/.cache/reheap -mindepth 1 -type d ! -path '*/sources*')"
rm broken
expect 7 '^ran: info$' run "$launcher" info

# Ctrl-C while Bazel builds: nothing is kept, and no failure is reported.
forget
touch slow
set -m
run "$launcher" info >out 2>err </dev/null & first=$!
until grep -q build bazel.calls 2>/dev/null; do sleep 0.05; done
kill -INT -- -$first
wait $first
judge 130 'interrupted' $? "Ctrl-C in a build"
set +m
rm slow
same "no copy of an interrupted build" "" "$(find home/.cache/reheap -mindepth 1 -type d ! -path '*/sources*')"

# A missing package is named and installed.
forget
echo gnuplot-nox >missing
expect 7 'missing Debian packages: gnuplot-nox$' run "$launcher" info
grep -q 'install .*gnuplot-nox' apt.calls || problem "gnuplot-nox was not installed"
same "the lists are fetched first" update "$(head -n 1 apt.calls)"

# Installing fails: says what to run.
forget
echo gnuplot-nox >missing
touch no-network
expect 4 'apt-get install .*gnuplot-nox' run "$launcher" info
rm no-network

# An ordinary user: with sudo that asks nothing it is used, else the command is printed.
forget
echo gnuplot-nox >missing
echo 12345 >uid
touch sudo-works
expect 7 'installing them: sudo apt-get' run "$launcher" info
grep -q 'gnuplot-nox' sudo.calls || problem "sudo was not used"
forget
rm sudo-works
echo gnuplot-nox >missing
expect 4 'run: apt-get update && apt-get install .*gnuplot-nox' run "$launcher" info
same "no build without packages" 0 "$(calls bazel)"
forget
expect 7 '^ran: info$' run "$launcher" info
same "an ordinary user with all packages installs nothing" 0 "$(calls apt)"
echo 0 >uid

# Without a home that can be written the copy goes elsewhere.
forget
expect 7 '^ran: info$' env -i PATH="$TMP/bin:/usr/bin:/bin" TMPDIR="$TMP/tmp" bash -c "mkdir -p '$TMP/tmp'; exec '$launcher' info"
grep -q -- '--output_user_root' bazel.calls || problem "without HOME Bazel got no folder of its own"
[ -n "$(find tmp -name reheap_program)" ] || problem "no copy below TMPDIR"
forget
expect 7 '^ran: info$' run XDG_CACHE_HOME="$TMP/other-cache" "$launcher" info
[ -n "$(find "other-cache" -name reheap_program)" ] || problem "XDG_CACHE_HOME is not used"

# A path without a space is built in place.
forget
cp -r "$tree" plain
expect 7 '^ran: info$' run plain/reheap info
[ ! -e home/.cache/reheap/sources ] || problem "sources were copied without need"

# Another machine, another system.
for system in "Linux aarch64" "Darwin x86_64"; do
    echo "$system" >system
    expect 4 "Linux on x86-64 only; this is $system" run "$launcher" info
done
finish

#!/usr/bin/env bash
# ./dev test counts what Bazel reports, exactly: with a stand-in for Bazel that reports one of each kind.
. "${BASH_SOURCE[0]%/*}/lib.sh"

mkdir -p tree/third_party/debian bin shared/data pyenv/versions
cp -L "$runfiles/dev" tree/
cp -L "$runfiles/third_party/debian/packages.sh" tree/third_party/debian/
stand_in() {
    { echo '#!/bin/bash'; cat; } >"bin/$1"
    chmod +x "bin/$1"
}
stand_in dpkg-query <<'END'
for package; do printf 'installed:%s ' "$package"; done
END
stand_in apt-get <<<'exit 1'
stand_in bazel <<END
echo "\$*" >>"$TMP/calls"
echo "\$REHEAP_TEST_DATA \$REHEAP_PYTHONS" >"$TMP/environment"
if [ "\$1" = info ]; then echo "$TMP/logs"; exit; fi
cat "$TMP/summary"
exit "\$(cat "$TMP/status")"
END
log() { # LABEL TEXT
    local folder=logs/${1#//}
    mkdir -p "${folder/://}" && echo "$2" >"${folder/://}/test.log"
}
dev() { env -i PATH="$TMP/bin:/usr/bin:/bin" HOME="$TMP" PYENV_ROOT="$TMP/pyenv" ./tree/dev "$@"; }
last() { tail -n 1 out; }

log //tests/a:one_test "all is well"
log //tests/a:two_test "SKIP: no data here"
log //tests/a:a_test_whose_name_is_longer_than_the_space_that_bazel_leaves_for_a_name_in_its_table "well"
cat >summary <<'END'
INFO: Build completed
//tests/a:one_test                                                       PASSED in 0.1s
//tests/a:two_test                                              (cached) PASSED in 0.1s
//tests/a:a_test_whose_name_is_longer_than_the_space_that_bazel_leaves_for_a_name_in_its_table PASSED in 2.0s

Executed 2 out of 3 tests: 3 tests pass.
END
echo 0 >status
expect 0 '' dev test
same "passing and skipping" "2 passed, 0 failed, 1 skipped" "$(last)"
grep -q '^//tests/a:two_test SKIP: no data here$' out || problem "the reason of a skip is not shown"
same "data and interpreters are found" "$TMP/shared/data $TMP/pyenv/versions" "$(cat environment)"
grep -q -- '-- //\.\.\.$' calls || problem "not every test is run"
expect 0 '' dev test //tests/a:one_test
grep -q -- '-- //tests/a:one_test$' calls || problem "the target is not handed on"

cat >>summary <<'END'
//tests/b:one_test                                                       FAILED in 0.1s
  /some/where/test.log
//tests/b:two_test                                                      TIMEOUT in 60.0s
//tests/b:three_test                                                  NO STATUS
//tests/b:four_test                                             FAILED TO BUILD
END
echo 3 >status
expect 1 '' dev test
same "every way to fail" "2 passed, 4 failed, 1 skipped" "$(last)"

printf 'ERROR: no such target\n' >summary
echo 1 >status
expect 1 'no such target' dev test
same "a broken build is a failure" "0 passed, 1 failed, 0 skipped" "$(last)"

expect 2 'Usage: ./dev' dev
expect 2 'Usage: ./dev' dev frobnicate
finish

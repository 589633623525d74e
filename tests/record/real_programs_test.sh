#!/usr/bin/env bash
# Real programs, recorded whole and unharmed: each writes what it writes unrecorded and ends as it ends, and `check` finds
# its recording sound. Those that this system does not have are named.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
export HOME=$TMP GIT_CONFIG_NOSYSTEM=1
libraries=/usr/lib/x86_64-linux-gnu

has() { # PROGRAM
    command -v "$1" >/dev/null || { echo "SKIP: $1 is not installed"; return 1; }
}

# unharmed NAME EVENTS RECORD-OPTIONS -- COMMAND...: at least so many events are in its files.
unharmed() {
    local name=$1 events=$2 options=() plain
    shift 2
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    rm -rf "$name".rht* work
    mkdir work
    (cd work && "$@") >plain.out 2>plain.err </dev/null
    plain=$?
    rm -rf work
    mkdir work
    (cd work && exec "$REHEAP" record --pass-status -o "../$name.rht" "${options[@]}" -- "$@") >recorded.out 2>recorded.err </dev/null
    same "$name: exit code" $plain $?
    cmp plain.out recorded.out || problem "$name: its output is another when it is recorded: $(tail -n 3 recorded.err)"
    sed '/^reheap record: /d' recorded.err | cmp - plain.err || problem "$name: its talk is another when it is recorded"
    for file in "$name".rht*; do
        expect 0 sound "$REHEAP" check "$file"
        same "$name: $file: dropped" 0 "$(fact "$file" dropped_events)"
    done
    local all=0
    for file in "$name".rht*; do all=$((all + $(fact "$file" events))); done
    [ $all -ge "$events" ] || problem "$name: only $all events"
}

# recorded NAME: the programs that have a recording.
recorded() {
    local file
    for file in "$1".rht*; do basename "$(fact "$file" program)"; done
}

# Shells, tools, a compiler with all its children.
unharmed bash 20000 --malloc -- bash -c 'declare -A seen; for i in {1..3000}; do seen[$((i * 7 % 1000))]+="x$i"; done
    echo "${#seen[@]}"; for i in 1 2 3; do echo $(echo "$i" | tr 123 abc); done; cat <<<"${seen[7]}"'
if has git; then
    unharmed git 5000 --malloc --children -- bash -c 'git init -q -b main . && for i in {1..40}; do echo "$i" >"file$i"; done
        git add . && git -c user.name=n -c user.email=e commit -q --date=2020-01-01T00:00:00Z -m one
        echo more >>file7; git diff; git status --short; git -c gc.auto=0 gc -q; git log --format=%s --stat; git fsck'
    recorded git | grep -q '^git$' || problem "no git has a recording"
fi
if has gcc; then
    { echo '#include <stdio.h>'; for i in {1..300}; do echo "int f$i(int x) { return x * $i + (x ? f$((i - 1 < 1 ? 1 : i - 1))(x - 1) : 0); }"; done
        echo 'int main(void) { printf("%d\n", f300(3)); return 0; }'; } >many.c
    unharmed gcc 500 --malloc --children -- bash -c 'gcc -O1 -w -o many ../many.c && cksum <many && ./many'
    for part in cc1 as collect2 many; do recorded gcc | grep -q "$part" || problem "gcc: $part has no recording"; done
fi
has make && has gcc && {
    printf 'all: 1.o 2.o 3.o 4.o 5.o 6.o\n%%.o:\n\t@echo "int x$*;" | gcc -xc -c -o $@ -\n' >Makefile
    unharmed make 500 --malloc --children -- make -s -j3 -f ../Makefile
}
has tar && unharmed tar 50 --malloc -- bash -c 'tar --sort=name --mtime=@0 --owner=0 --group=0 -czf - /usr/share/common-licenses | cksum'
has find && unharmed find 1000 --malloc -- find /usr/share/perl5 /usr/share/common-licenses -newer /proc/self -o -name '*.p[ml]'
if has jq; then
    "$debian" -c 'import json; print(json.dumps([{"id": i, "name": "n%d" % i, "tags": list(range(i % 7))} for i in range(20000)]))' >large.json
    unharmed jq 200000 --malloc -- jq 'map(select(.id % 3 == 0) | .tags | length) | add' ../large.json
fi
has sqlite3 && unharmed sqlite3 20000 --malloc -- sqlite3 :memory: 'create table t(a integer primary key, b text);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t select i, hex(i * 7919) from n;
    create index u on t(b); select count(*), sum(length(b)), max(b) from t where b > "4"; explain query plan select * from t where b = 1;'
has perl && unharmed perl 50000 --malloc -- perl -e 'my %h; $h{$_ * 7919 % 10007} .= "v$_" for 1 .. 40000;
    print scalar(keys %h), " ", join(",", map { length $h{$_} } (sort { $a <=> $b } keys %h)[0 .. 9]), "\n"'
has node && unharmed node 5000 --malloc -- node -e 'let m = new Map(); for (let i = 0; i < 200000; i++) m.set("k" + i, [i]);
    console.log(m.size, JSON.stringify([...m].slice(0, 3)), require("zlib").gzipSync("x".repeat(1e6)).length)'
if has java; then
    if has javac; then
        cat >Work.java <<'END'
import java.util.*;
import java.util.stream.*;
public class Work {
    public static void main(String[] words) throws Exception {
        var threads = new ArrayList<Thread>();
        var sums = new long[4];
        for (int t = 0; t < 4; t++) {
            int n = t;
            threads.add(new Thread(() -> sums[n] = IntStream.range(0, 200000).mapToObj(i -> "s" + i * n).mapToLong(String::length).sum()));
        }
        for (var thread : threads) thread.start();
        for (var thread : threads) thread.join();
        System.out.println(Arrays.toString(sums));
    }
}
END
        javac Work.java && unharmed java 5000 --malloc -- java -cp .. Work
    else
        unharmed java 1000 --malloc -- java -version
    fi
fi

# Python: threads, and processes of both kinds.
cat >threads.py <<'END'
import hashlib, json, threading, zlib
sums = {}
def work(n):
    for i in range(30):
        text = json.dumps([str(i * j * n) for j in range(500)])
        sums[n] = hashlib.sha256(zlib.compress(text.encode())).hexdigest()
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(sums.items()))
END
cat >processes.py <<'END'
import json, multiprocessing, sys
def work(n):
    return len(json.dumps([str(i * n) for i in range(20000)]))
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    with multiprocessing.Pool(3) as pool:
        print(pool.map(work, range(12)))
END
unharmed threads_malloc 10000 --malloc -- "$debian" ../threads.py
unharmed threads_python 100000 -- "$debian" ../threads.py
[ "$(fact threads_python.rht threads)" -ge 9 ] || problem "python's threads are not told apart"
for way in fork spawn; do
    unharmed "${way}_malloc" 5000 --malloc --children -- "$debian" ../processes.py $way
    unharmed "${way}_python" 50000 --children -- "$debian" ../processes.py $way
    for name in "${way}_malloc" "${way}_python"; do
        workers=0
        for file in "$name".rht.*; do [ "$(fact "$file" events)" -lt 100 ] || workers=$((workers + 1)); done
        [ $workers -ge 3 ] || problem "$name: $workers workers have a recording with something in it"
    done
done

# Allocators that are not the C library's: linked, and preloaded; C and C++.
cat >work.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    void *held[1000] = {0};
    unsigned state = 1;
    for (int i = 0; i < 100000; i++) {
        state = state * 1664525u + 1013904223u;
        void **at = &held[state >> 16 & 511];
        if (state & 1 << 30) { free(*at); *at = malloc(state >> 8 & 4095); } else *at = realloc(*at, 1 + (state >> 8 & 1023));
    }
    puts("worked");
    return 0;
}
END
cat >work.cpp <<'END'
#include <iostream>
#include <map>
#include <memory>
#include <string>
struct alignas(64) wide { double x[8]; };
int main() {
    std::map<std::string, std::unique_ptr<wide>> map;
    for (int i = 0; i < 20000; i++) map["a rather long key, longer than a small string " + std::to_string(i * 7919 % 5003)] = std::make_unique<wide>();
    std::cout << map.size() << std::endl;
}
END
has gcc && gcc -O0 -w -o plain work.c
# What a program does is in its recording, and nothing else: neither we nor what we bring allocate in it.
cat >ten.c <<'END'
#include <stdlib.h>
int main(void) {
    for (int i = 1; i <= 10; i++)
        free(malloc(i));
    return 0;
}
END
if has gcc && gcc -O0 -w -o ten ten.c; then
    unharmed ten 20 --malloc -- ../ten
    same "events of ten mallocs and frees" 20 "$(fact ten.rht events)"
fi
if has g++ && g++ -std=c++17 -O1 -o cpp work.cpp; then
    unharmed cpp 70000 --malloc -- ../cpp
fi
# Every operator of C++, a thousand calls of each; also where the program has the plain ones itself.
cat >operators.cpp <<'END'
#include <cstdio>
#include <cstdlib>
#include <new>
#ifdef OWN
void *operator new(std::size_t size) { return std::malloc(size); }
void operator delete(void *block) noexcept { std::free(block); }
void operator delete(void *block, std::size_t) noexcept { std::free(block); }
#endif
static constexpr std::align_val_t wide{64};
#define PAIR(make, drop) \
    for (int i = 1; i <= 1000; i++) { void *volatile block = make; drop; }
int main() {
    using namespace std;
    PAIR(operator new(i), operator delete(block))
    PAIR(operator new[](i), operator delete[](block))
    PAIR(operator new(i, nothrow), operator delete(block, nothrow))
    PAIR(operator new[](i, nothrow), operator delete[](block, nothrow))
    PAIR(operator new(i), operator delete(block, (size_t)i))
    PAIR(operator new[](i), operator delete[](block, (size_t)i))
    PAIR(operator new(i, wide), operator delete(block, wide))
    PAIR(operator new[](i, wide), operator delete[](block, wide))
    PAIR(operator new(i, wide, nothrow), operator delete(block, wide, nothrow))
    PAIR(operator new[](i, wide, nothrow), operator delete[](block, wide, nothrow))
    PAIR(operator new(i, wide), operator delete(block, (size_t)i, wide))
    PAIR(operator new[](i, wide), operator delete[](block, (size_t)i, wide))
    puts("worked");
}
END
has g++ && g++ -std=c++17 -O0 -w -o operators operators.cpp && g++ -std=c++17 -O0 -w -DOWN -o own_operators operators.cpp
# all_of_new NAME COMMAND...: its births and deaths are the program's 12,000, and the libraries' few.
all_of_new() {
    local name=$1 births
    shift
    unharmed "$name" 24000 --malloc -- "$@"
    births=$(fact "$name.rht" allocations)
    [ "$births" -ge 12000 ] && [ "$births" -le 12020 ] || problem "$name: $births births"
    same "$name: frees of what was not born, and the undecided" "0 0" \
        "$(fact "$name.rht" foreign_frees) $(fact "$name.rht" undecided_events)"
}
[ ! -x operators ] || all_of_new operators ../operators
for library in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2 libtbbmalloc_proxy.so.2; do
    path=$libraries/$library
    [ -e "$path" ] || { echo "SKIP: $library is not installed"; continue; }
    has gcc && gcc -O0 -w -o linked work.c -Wl,--no-as-needed "$path" && unharmed "linked_$library" 130000 --malloc -- ../linked
    LD_PRELOAD=$path unharmed "preloaded_$library" 130000 --malloc -- bash -c 'exec ../plain'
    has g++ || continue
    LD_PRELOAD=$path unharmed "cpp_$library" 80000 --malloc -- bash -c 'exec ../cpp'
    same "cpp_$library: frees of what was not born" 0 "$(fact "cpp_$library.rht" foreign_frees)"
    for program in operators own_operators; do
        LD_PRELOAD=$path all_of_new "${program}_$library" bash -c "exec ../$program"
    done
done
finish

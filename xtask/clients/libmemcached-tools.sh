#!/bin/sh
# libmemcached's command line tools and load generators: sh libmemcached-tools.sh HOST PORT text|binary
set -u

name="libmemcached-tools-$3"
server="$1:$2"
# What the tools are told; memcstat, memcping and memcdump know text only.
case $3 in
text) binary= ;;
binary) binary=--binary ;;
esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check LABEL COMMAND...: the command, a function as a rule, must succeed.
check() {
    label=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "$name: $label: ok"
    else
        failed=$((failed + 1))
        echo "$name: $label: FAILED"
        cat "$work/output"
    fi
}

# until COMMAND...: the command must succeed within 10 seconds.
until_true() {
    deadline=$(($(date +%s) + 10))
    until "$@"; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# stat KEY: a number of plain `stats`.
stat() {
    memcstat -s "$server" | sed -n "s/^[[:space:]]*$1: //p"
}

fails() {
    ! "$@"
}

stores_and_reads() {
    printf 'a value\n' >"$work/small" &&
        memccp $binary -s "$server" "$work/small" &&
        memccat $binary -s "$server" -f "$work/found" small &&
        cmp "$work/small" "$work/found"
}

moves_900_kb() {
    head -c 921600 /dev/urandom >"$work/large" &&
        memccp $binary -s "$server" "$work/large" &&
        memccat $binary -s "$server" -f "$work/found" large &&
        cmp "$work/large" "$work/found"
}

is_refused_more_than_1_mb() {
    mkdir -p "$work/more" && head -c 1048577 /dev/urandom >"$work/more/large" || return 1
    ! memccp $binary -s "$server" "$work/more/large" &&
        fails memcexist $binary -s "$server" large &&
        stores_and_reads
}

adds_and_replaces() {
    memccp $binary -s "$server" --replace "$work/small" &&
        fails memccp $binary -s "$server" --add "$work/small" &&
        memcrm $binary -s "$server" small &&
        fails memccp $binary -s "$server" --replace "$work/small" &&
        memccp $binary -s "$server" --add "$work/small"
}

keeps_flags() {
    memccp $binary -s "$server" -F 42 "$work/small" &&
        [ "$(memccat $binary -s "$server" -F small | head -n 1)" = 42 ]
}

exists_and_is_deleted() {
    memccp $binary -s "$server" "$work/small" &&
        memcexist $binary -s "$server" small &&
        memcrm $binary -s "$server" small &&
        fails memcexist $binary -s "$server" small &&
        fails memccat $binary -s "$server" small &&
        fails memcrm $binary -s "$server" small
}

touches_and_expires() {
    memccp $binary -s "$server" "$work/small" &&
        memctouch $binary -s "$server" -e 1 small &&
        until_true fails memcexist $binary -s "$server" small &&
        fails memctouch $binary -s "$server" -e 1 small &&
        memccp $binary -s "$server" -e 1 "$work/small" &&
        until_true fails memcexist $binary -s "$server" small
}

answers_pings() {
    memcping -s "$server"
}

tells_statistics() {
    [ "$(stat curr_connections)" -ge 1 ] &&
        [ "$(stat limit_maxbytes)" -gt 0 ] &&
        stat version | grep -Eq '^[0-9]+\.[0-9]+\.[0-9]+$' &&
        memcstat -s "$server" settings | grep -q maxbytes &&
        memcstat -s "$server" --server-version 2>&1 | grep -Eq '[0-9]+\.[0-9]+\.[0-9]+' &&
        memcstat -s "$server" --analyze
}

lists() {
    memcdump -s "$server" | grep -qx "$1"
}

# memcached lists what its background thread has put aside.
lists_keys() {
    memccp $binary -s "$server" "$work/small" &&
        until_true lists small &&
        fails lists none
}

is_flushed() {
    memccp $binary -s "$server" "$work/small" &&
        memcflush $binary -s "$server" &&
        fails memcexist $binary -s "$server" small
}

# slaps TEST COUNTER AT_LEAST OPTION...: memcslap runs, and the server counted its requests.
slaps() {
    before=$(stat "$2") &&
        memcslap $binary -s "$server" -t "$1" -e 2000 -c 4 "$4" &&
        after=$(stat "$2") &&
        echo "$2: $before, then $after" &&
        [ "$((after - before))" -ge "$3" ]
}

# memcaslap reads back and verifies a part of what it gets: -v 0.2.
aslaps() {
    memcaslap $binary -s "$server" -x 20000 -T 2 -c 16 -v 0.2 "$@" >"$work/aslap" 2>&1
    status=$?
    cat "$work/aslap"
    [ "$status" -eq 0 ] && grep -q 'TPS' "$work/aslap" &&
        ! grep -Eiq 'error|^(get|verify)_misses: [1-9]|^verify_failed: [1-9]' "$work/aslap"
}

check 'stores and reads' stores_and_reads
check 'moves 900 KB' moves_900_kb
check 'is refused more than 1 MB' is_refused_more_than_1_mb
check 'adds and replaces' adds_and_replaces
check 'keeps flags' keeps_flags
check 'exists and is deleted' exists_and_is_deleted
check 'touches and expires' touches_and_expires
check 'answers pings' answers_pings
check 'tells statistics' tells_statistics
check 'lists keys' lists_keys
check 'is flushed' is_flushed
check 'memcslap sets' slaps set cmd_set 8000 -N
check 'memcslap sets without replies' slaps set cmd_set 8000 -R
check 'memcslap gets' slaps get get_hits 8000 -N
check 'memcslap gets, not blocking' slaps get get_hits 8000 -n
check 'memcslap multi-gets' slaps mget get_hits 8000 -N
check 'memcaslap' aslaps
check 'memcaslap multi-gets' aslaps -d 50

echo "$name: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

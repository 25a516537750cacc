#!/bin/sh
# libmemcached's command line tools and load generators: sh libmemcached-tools.sh HOST PORT
set -u

name=libmemcached-tools
server="$1:$2"
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
        memccp -s "$server" "$work/small" &&
        memccat -s "$server" -f "$work/found" small &&
        cmp "$work/small" "$work/found"
}

moves_900_kb() {
    head -c 921600 /dev/urandom >"$work/large" &&
        memccp -s "$server" "$work/large" &&
        memccat -s "$server" -f "$work/found" large &&
        cmp "$work/large" "$work/found"
}

is_refused_more_than_1_mb() {
    mkdir -p "$work/more" && head -c 1048577 /dev/urandom >"$work/more/large" || return 1
    ! memccp -s "$server" "$work/more/large" &&
        fails memcexist -s "$server" large &&
        stores_and_reads
}

adds_and_replaces() {
    memccp -s "$server" --replace "$work/small" &&
        fails memccp -s "$server" --add "$work/small" &&
        memcrm -s "$server" small &&
        fails memccp -s "$server" --replace "$work/small" &&
        memccp -s "$server" --add "$work/small"
}

keeps_flags() {
    memccp -s "$server" -F 42 "$work/small" &&
        [ "$(memccat -s "$server" -F small | head -n 1)" = 42 ]
}

exists_and_is_deleted() {
    memccp -s "$server" "$work/small" &&
        memcexist -s "$server" small &&
        memcrm -s "$server" small &&
        fails memcexist -s "$server" small &&
        fails memccat -s "$server" small &&
        fails memcrm -s "$server" small
}

touches_and_expires() {
    memccp -s "$server" "$work/small" &&
        memctouch -s "$server" -e 1 small &&
        until_true fails memcexist -s "$server" small &&
        fails memctouch -s "$server" -e 1 small &&
        memccp -s "$server" -e 1 "$work/small" &&
        until_true fails memcexist -s "$server" small
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

is_flushed() {
    memccp -s "$server" "$work/small" &&
        memcflush -s "$server" &&
        fails memcexist -s "$server" small
}

# slaps TEST COUNTER AT_LEAST OPTION...: memcslap runs, and the server counted its requests.
slaps() {
    before=$(stat "$2") &&
        memcslap -s "$server" -t "$1" -e 2000 -c 4 "$4" &&
        after=$(stat "$2") &&
        echo "$2: $before, then $after" &&
        [ "$((after - before))" -ge "$3" ]
}

# memcaslap reads back and verifies a part of what it gets: -v 0.2.
aslaps() {
    memcaslap -s "$server" -x 20000 -T 2 -c 16 -v 0.2 "$@" >"$work/aslap" 2>&1
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

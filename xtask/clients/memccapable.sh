#!/bin/sh
# libmemcached's conformance tests of a protocol: sh memccapable.sh HOST PORT text|binary
# They flush the server.
set -u

case $3 in
text) option=-a word=ascii ;;
binary) option=-b word=binary ;;
esac
output=$(memccapable -h "$1" -p "$2" "$option" -t 10 2>&1)
status=$?
printf '%s\n' "$output"

# What does not pass says so at the end of its line.
passed=$(printf '%s\n' "$output" | grep -c '\[pass\]$')
failed=$(printf '%s\n' "$output" | grep "^$word " | grep -vc '\[pass\]$')
# The tests of libmemcached 1.1.4: less of them means that the program gave up.
if [ "$passed" -lt 27 ] && [ "$failed" -eq 0 ] || [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    failed=1
fi
echo "memccapable-$3: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

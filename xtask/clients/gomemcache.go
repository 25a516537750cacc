// gomemcache, text protocol: GO111MODULE=off GOPATH=/usr/share/gocode go run gomemcache.go HOST PORT

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

var client *memcache.Client

// A check ends at its first wrong answer, by a panic that main counts.
type check struct {
	label string
	run   func()
}

func same(found, expected interface{}) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Sprintf("expected %.200v, found %.200v", expected, found))
	}
}

func fine(err error) {
	same(err, nil)
}

// The errors of this client are values, told by identity.
func fails(err, expected error) {
	if !errors.Is(err, expected) {
		panic(fmt.Sprintf("expected error %v, found %v", expected, err))
	}
}

func until(condition func() bool) {
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			panic("it did not come true in time")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func item(key, value string) *memcache.Item {
	return &memcache.Item{Key: key, Value: []byte(value)}
}

func value(key string) string {
	found, err := client.Get(key)
	fine(err)
	return string(found.Value)
}

func isGone(key string) bool {
	_, err := client.Get(key)
	return err == memcache.ErrCacheMiss
}

func everyByte(length int) []byte {
	value := make([]byte, length)
	rand.New(rand.NewSource(1)).Read(value)
	return value
}

func setsAndGets() {
	fine(client.FlushAll())
	same(isGone("k"), true)
	for _, text := range []string{"text", "", "\r\n", "END\r\n", "\x00\x80\xff"} {
		fine(client.Set(item("k", text)))
		same(value("k"), text)
	}
}

func keepsFlags() {
	for _, flags := range []uint32{0, 1, 42, 1 << 16, 1<<32 - 1} {
		fine(client.Set(&memcache.Item{Key: "k", Value: []byte("a"), Flags: flags}))
		found, err := client.Get("k")
		fine(err)
		same(found.Flags, flags)
	}
}

func getsMany() {
	keys := []string{"none"}
	for index := 0; index < 100; index++ {
		key := fmt.Sprintf("m%d", index)
		keys = append(keys, key)
		fine(client.Set(item(key, "value of "+key)))
	}
	found, err := client.GetMulti(keys)
	fine(err)
	same(len(found), 100)
	for key, item := range found {
		same(string(item.Value), "value of "+key)
	}
}

func addsAndReplaces() {
	_ = client.Delete("k")
	fails(client.Replace(item("k", "a")), memcache.ErrNotStored)
	fine(client.Add(item("k", "b")))
	fails(client.Add(item("k", "c")), memcache.ErrNotStored)
	same(value("k"), "b")
	fine(client.Replace(item("k", "d")))
	same(value("k"), "d")
}

func comparesAndSwaps() {
	fine(client.Set(item("k", "a")))
	mine, err := client.Get("k")
	fine(err)
	theirs, err := client.Get("k")
	fine(err)
	mine.Value = []byte("b")
	fine(client.CompareAndSwap(mine))
	theirs.Value = []byte("c")
	fails(client.CompareAndSwap(theirs), memcache.ErrCASConflict)
	same(value("k"), "b")
	fine(client.Delete("k"))
	fails(client.CompareAndSwap(theirs), memcache.ErrCacheMiss)
}

func counts() {
	_ = client.Delete("n")
	_, err := client.Increment("n", 1)
	fails(err, memcache.ErrCacheMiss)
	_, err = client.Decrement("n", 1)
	fails(err, memcache.ErrCacheMiss)
	counted := func(number uint64, err error) uint64 {
		fine(err)
		return number
	}
	fine(client.Set(item("n", "10")))
	same(counted(client.Increment("n", 5)), uint64(15))
	same(counted(client.Decrement("n", 6)), uint64(9))
	same(counted(client.Decrement("n", 100)), uint64(0))
	fine(client.Set(item("n", "18446744073709551615")))
	same(counted(client.Increment("n", 2)), uint64(1))
	fine(client.Set(item("n", "word")))
	_, err = client.Increment("n", 1)
	same(err.Error(), "memcache: client error: cannot increment or decrement non-numeric value")
}

func touchesAndExpires() {
	_ = client.Delete("k")
	fails(client.Touch("k", 10), memcache.ErrCacheMiss)
	fine(client.Set(&memcache.Item{Key: "k", Value: []byte("a"), Expiration: 1}))
	fine(client.Touch("k", 100))
	fine(client.Set(&memcache.Item{Key: "probe", Value: []byte("a"), Expiration: 1}))
	until(func() bool { return isGone("probe") })
	same(value("k"), "a")
	fine(client.Touch("k", 1))
	until(func() bool { return isGone("k") })
}

func expiresAtATime() {
	now := int32(time.Now().Unix())
	fine(client.Set(&memcache.Item{Key: "later", Value: []byte("a"), Expiration: now + 100}))
	same(value("later"), "a")
	for _, exptime := range []int32{-1, 2592001, now - 10} {
		fine(client.Set(&memcache.Item{Key: "past", Value: []byte("a"), Expiration: exptime}))
		same(isGone("past"), true)
	}
}

func deletes() {
	fine(client.Set(item("k", "a")))
	fine(client.Delete("k"))
	fails(client.Delete("k"), memcache.ErrCacheMiss)
	same(isGone("k"), true)
}

func moves900Kb() {
	large := everyByte(900 << 10)
	fine(client.Set(&memcache.Item{Key: "large", Value: large}))
	found, err := client.Get("large")
	fine(err)
	same(bytes.Equal(found.Value, large), true)
	many, err := client.GetMulti([]string{"none", "large"})
	fine(err)
	same(bytes.Equal(many["large"].Value, large), true)
}

// An item is its header, key and value: 1 MB with its last byte, refused with one more.
func isRefusedMoreThan1Mb() {
	fits := 1<<20 - 48 - 8 - len("large") - 1 - 2
	fine(client.Set(&memcache.Item{Key: "large", Value: everyByte(fits)}))
	same(len(value("large")), fits)
	for _, length := range []int{fits + 1, 1 << 20, 3 << 20} {
		fine(client.Set(item("large", "old")))
		err := client.Set(&memcache.Item{Key: "large", Value: everyByte(length)})
		same(err != nil && strings.Contains(err.Error(), "object too large for cache"), true)
		same(isGone("large"), true)
	}
	fine(client.Set(item("large", "new")))
	same(value("large"), "new")
}

func keysUpToTheirLength() {
	long := strings.Repeat("k", 250)
	fine(client.Set(item(long, "a")))
	same(value(long), "a")
	fails(client.Set(item(long+"k", "a")), memcache.ErrMalformedKey)
	fine(client.Set(item("!\"#$%&'()*+,-./{|}~", "b")))
	same(value("!\"#$%&'()*+,-./{|}~"), "b")
}

func servesManyAtOnce() {
	var group sync.WaitGroup
	failures := make(chan interface{}, 50)
	for number := 0; number < 50; number++ {
		group.Add(1)
		go func(key string) {
			defer group.Done()
			defer func() {
				if failure := recover(); failure != nil {
					failures <- failure
				}
			}()
			for round := 0; round < 100; round++ {
				text := fmt.Sprintf("%s in round %d", key, round)
				fine(client.Set(item(key, text)))
				same(value(key), text)
			}
		}(fmt.Sprintf("at-once-%d", number))
	}
	group.Wait()
	close(failures)
	for failure := range failures {
		panic(failure)
	}
}

func flushes() {
	fine(client.Set(item("k", "a")))
	fine(client.FlushAll())
	same(isGone("k"), true)
	fine(client.DeleteAll())
	fine(client.Set(item("k", "b")))
	same(value("k"), "b")
}

var checks = []check{
	{"sets and gets", setsAndGets},
	{"keeps flags", keepsFlags},
	{"gets many", getsMany},
	{"adds and replaces", addsAndReplaces},
	{"compares and swaps", comparesAndSwaps},
	{"counts", counts},
	{"touches and expires", touchesAndExpires},
	{"expires at a time", expiresAtATime},
	{"deletes", deletes},
	{"moves 900 KB", moves900Kb},
	{"is refused more than 1 MB", isRefusedMoreThan1Mb},
	{"keys up to their length", keysUpToTheirLength},
	{"serves many at once", servesManyAtOnce},
	{"flushes", flushes},
}

func (c check) passes() (isFine bool) {
	defer func() {
		if failure := recover(); failure != nil {
			fmt.Printf("gomemcache: %s: FAILED, %v\n", c.label, failure)
		}
	}()
	c.run()
	fmt.Printf("gomemcache: %s: ok\n", c.label)
	return true
}

func main() {
	client = memcache.New(net.JoinHostPort(os.Args[1], os.Args[2]))
	client.Timeout = 10 * time.Second
	passed := 0
	for _, check := range checks {
		if check.passes() {
			passed++
		}
	}
	failed := len(checks) - passed
	fmt.Printf("gomemcache: %d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

// spymemcached, text or binary protocol:
// java -cp /usr/share/java/spymemcached.jar SpyMemcached.java HOST PORT text|binary

import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.logging.Level;
import java.util.logging.Logger;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.CachedData;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.ConnectionFactoryBuilder.Protocol;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.internal.OperationFuture;
import net.spy.memcached.ops.StatusCode;
import net.spy.memcached.transcoders.SerializingTranscoder;
import net.spy.memcached.transcoders.Transcoder;

public final class SpyMemcached {
    private static final int MEGABYTE = 1 << 20;
    /** The client's, held here: a logger that nobody holds forgets its level. */
    private static final Logger LOG = Logger.getLogger("net.spy");

    private final MemcachedClient client;
    private final boolean isBinary;
    private final Map<String, Check> checks = new LinkedHashMap<>();

    private interface Check {
        void run() throws Exception;
    }

    private SpyMemcached(MemcachedClient client, boolean isBinary) {
        this.client = client;
        this.isBinary = isBinary;
        checks.put("sets and gets", this::setsAndGets);
        checks.put("keeps flags and bytes", this::keepsFlagsAndBytes);
        checks.put("gets many", this::getsMany);
        checks.put("many requests at once", this::manyRequestsAtOnce);
        checks.put("adds and replaces", this::addsAndReplaces);
        checks.put("appends and prepends", this::appendsAndPrepends);
        checks.put("compares and swaps", this::comparesAndSwaps);
        checks.put("counts", this::counts);
        checks.put("counts from an initial value", this::countsFromAnInitialValue);
        checks.put("touches and expires", this::touchesAndExpires);
        checks.put("expires at a time", this::expiresAtATime);
        if (isBinary) {
            checks.put("gets and touches", this::getsAndTouches);
            checks.put("asks for no mechanism of SASL", this::asksForMechanisms);
        }
        checks.put("deletes", this::deletes);
        checks.put("moves 900 KB", this::moves900Kb);
        checks.put("is refused more than 1 MB", this::isRefusedMoreThan1Mb);
        checks.put("keys up to their length", this::keysUpToTheirLength);
        checks.put("version and stats", this::versionAndStats);
        checks.put("flushes", this::flushes);
    }

    public static void main(String[] arguments) throws Exception {
        boolean isBinary = arguments[2].equals("binary");
        LOG.setLevel(Level.OFF);
        System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
        SerializingTranscoder transcoder = new SerializingTranscoder(4 * MEGABYTE);
        transcoder.setCompressionThreshold(Integer.MAX_VALUE);
        MemcachedClient client = new MemcachedClient(
            new ConnectionFactoryBuilder()
                .setProtocol(isBinary ? Protocol.BINARY : Protocol.TEXT)
                .setTranscoder(transcoder)
                .setOpTimeout(10_000)
                // After an error over text it connects anew, and would wait for two seconds.
                .setMaxReconnectDelay(0)
                .setOpQueueMaxBlockTime(10_000)
                .build(),
            List.of(new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]))));
        boolean isFine = new SpyMemcached(client, isBinary).runAll("spymemcached-" + arguments[2]);
        client.shutdown();
        System.exit(isFine ? 0 : 1);
    }

    private boolean runAll(String name) {
        int passed = 0;
        for (Map.Entry<String, Check> check : checks.entrySet()) {
            try {
                check.getValue().run();
                passed++;
                System.out.println(name + ": " + check.getKey() + ": ok");
            } catch (Exception | AssertionError failure) {
                System.out.println(name + ": " + check.getKey() + ": FAILED, " + failure);
                failure.printStackTrace(System.out);
            }
        }
        int failed = checks.size() - passed;
        System.out.println(name + ": " + passed + " passed, " + failed + " failed");
        return failed == 0;
    }

    private static void same(Object found, Object expected) {
        if (!Objects.deepEquals(found, expected)) {
            throw new AssertionError("expected " + brief(expected) + ", found " + brief(found));
        }
    }

    private static String brief(Object value) {
        String text = String.valueOf(value);
        return text.substring(0, Math.min(200, text.length()));
    }

    private static void until(Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("it did not come true in time");
            }
            Thread.sleep(50);
        }
    }

    private static byte[] everyByte(int length) {
        byte[] bytes = new byte[length];
        new Random(1).nextBytes(bytes);
        return bytes;
    }

    private static int now() {
        return (int) (System.currentTimeMillis() / 1000);
    }

    /** Waits for an operation, which must say the one or the other. */
    private static void says(Future<Boolean> operation, boolean expected) throws Exception {
        same(operation.get(), expected);
    }

    private void setsAndGets() throws Exception {
        says(client.flush(), true);
        same(client.get("k"), null);
        Object[] values = {"text", "", 42, 1L << 40, true, 1.5, new ArrayList<>(List.of("a", 1)), "ä\r\nEND\r\n"};
        for (Object value : values) {
            says(client.set("k", 0, value), true);
            same(client.get("k"), value);
        }
    }

    /** Takes flags and bytes as they are. */
    private static final class Raw implements Transcoder<CachedData> {
        @Override
        public boolean asyncDecode(CachedData data) {
            return false;
        }

        @Override
        public CachedData encode(CachedData data) {
            return data;
        }

        @Override
        public CachedData decode(CachedData data) {
            return data;
        }

        @Override
        public int getMaxSize() {
            return MEGABYTE;
        }
    }

    private void keepsFlagsAndBytes() throws Exception {
        Raw raw = new Raw();
        for (int flags : new int[] {0, 1, 42, 1 << 16, Integer.MAX_VALUE}) {
            byte[] bytes = everyByte(1000 + flags % 7);
            says(client.set("k", 0, new CachedData(flags, bytes, MEGABYTE), raw), true);
            CachedData found = client.get("k", raw);
            same(found.getFlags(), flags);
            same(found.getData(), bytes);
        }
    }

    private void getsMany() throws Exception {
        Map<String, Object> expected = new HashMap<>();
        for (int index = 0; index < 100; index++) {
            expected.put("m" + index, "value " + index);
            says(client.set("m" + index, 0, "value " + index), true);
        }
        List<String> keys = new ArrayList<>(expected.keySet());
        keys.add("none");
        same(client.getBulk(keys), expected);
        same(client.getBulk("none", "m1"), Map.of("m1", "value 1"));
        same(client.getBulk("none", "nobody"), Map.of());
    }

    private void manyRequestsAtOnce() throws Exception {
        List<Future<Boolean>> sets = new ArrayList<>();
        List<Future<Object>> gets = new ArrayList<>();
        for (int index = 0; index < 2000; index++) {
            sets.add(client.set("c" + index, 0, index));
            gets.add(client.asyncGet("c" + index));
        }
        for (int index = 0; index < 2000; index++) {
            says(sets.get(index), true);
            same(gets.get(index).get(), index);
        }
    }

    private void addsAndReplaces() throws Exception {
        client.delete("k").get();
        says(client.replace("k", 0, "a"), false);
        says(client.add("k", 0, "b"), true);
        says(client.add("k", 0, "c"), false);
        same(client.get("k"), "b");
        says(client.replace("k", 0, "d"), true);
        same(client.get("k"), "d");
    }

    private void appendsAndPrepends() throws Exception {
        client.delete("k").get();
        says(client.append("k", "x"), false);
        says(client.prepend("k", "x"), false);
        says(client.set("k", 0, "b"), true);
        says(client.append("k", "c"), true);
        says(client.prepend("k", "a"), true);
        same(client.get("k"), "abc");
    }

    private void comparesAndSwaps() throws Exception {
        same(client.gets("none"), null);
        says(client.set("k", 0, "a"), true);
        CASValue<Object> found = client.gets("k");
        same(found.getValue(), "a");
        same(client.cas("k", found.getCas(), "b"), CASResponse.OK);
        same(client.cas("k", found.getCas(), "c"), CASResponse.EXISTS);
        same(client.get("k"), "b");
        same(client.gets("k").getCas() != found.getCas(), true);
        says(client.delete("k"), true);
        same(client.cas("k", found.getCas(), "d"), CASResponse.NOT_FOUND);
    }

    private void counts() throws Exception {
        client.delete("n").get();
        same(client.incr("n", 1), -1L);
        same(client.decr("n", 1), -1L);
        says(client.set("n", 0, "10"), true);
        same(client.incr("n", 5), 15L);
        same(client.decr("n", 6), 9L);
        same(client.decr("n", 100), 0L);
        says(client.set("n", 0, "word"), true);
        OperationFuture<Long> refused = client.asyncIncr("n", 1);
        try {
            same(refused.get(), -1L);
        } catch (java.util.concurrent.ExecutionException error) {
            same(error.getMessage().contains("non-numeric"), true);
        }
        same(refused.getStatus().isSuccess(), false);
        same(client.get("n"), "word");
    }

    /** Over text the client makes it of incr and add. */
    private void countsFromAnInitialValue() throws Exception {
        client.delete("n").get();
        same(client.incr("n", 3, 40), 40L);
        same(client.incr("n", 3, 40), 43L);
        same(client.decr("n", 13, 7), 30L);
        client.delete("n").get();
        same(client.decr("n", 1, 7, 100), 7L);
        same(client.decr("n", 1, 7, 100), 6L);
        same(((String) client.get("n")).trim(), "6");
        client.delete("n").get();
        same(client.incr("n", 1, 7, 1), 7L);
        until(() -> client.get("n") == null);
    }

    private void touchesAndExpires() throws Exception {
        client.delete("k").get();
        says(client.touch("k", 10), false);
        says(client.set("k", 1, "a"), true);
        says(client.touch("k", 100), true);
        says(client.set("probe", 1, "a"), true);
        until(() -> client.get("probe") == null);
        same(client.get("k"), "a");
        says(client.touch("k", 1), true);
        until(() -> client.get("k") == null);
    }

    private void expiresAtATime() throws Exception {
        says(client.set("later", now() + 100, "a"), true);
        same(client.get("later"), "a");
        for (int exptime : new int[] {2592001, now() - 10}) {
            says(client.set("past", exptime, "a"), true);
            same(client.get("past"), null);
        }
    }

    private void getsAndTouches() throws Exception {
        client.delete("k").get();
        same(client.getAndTouch("k", 10), null);
        says(client.set("k", 1, "a"), true);
        CASValue<Object> found = client.getAndTouch("k", 100);
        same(found.getValue(), "a");
        same(found.getCas(), client.gets("k").getCas());
        says(client.set("probe", 1, "a"), true);
        until(() -> client.get("probe") == null);
        same(client.getAndTouch("k", 1).getValue(), "a");
        until(() -> client.get("k") == null);
    }

    private void asksForMechanisms() {
        // A server without SASL does not know the opcode: the client is left with the words of the refusal.
        same(client.listSaslMechanisms().contains("PLAIN"), false);
    }

    private void deletes() throws Exception {
        says(client.set("k", 0, "a"), true);
        OperationFuture<Boolean> first = client.delete("k");
        says(first, true);
        OperationFuture<Boolean> second = client.delete("k");
        says(second, false);
        same(second.getStatus().getStatusCode(), StatusCode.ERR_NOT_FOUND);
        same(client.get("k"), null);
    }

    private void moves900Kb() throws Exception {
        byte[] large = everyByte(900 << 10);
        says(client.set("large", 0, large), true);
        same(client.get("large"), large);
        same(client.getBulk("none", "large").get("large"), large);
    }

    private void isRefusedMoreThan1Mb() throws Exception {
        for (int length : new int[] {MEGABYTE, MEGABYTE + 1, 3 * MEGABYTE}) {
            says(client.set("large", 0, "old"), true);
            OperationFuture<Boolean> refused = client.set("large", 0, everyByte(length));
            try {
                same(refused.get(), false);
            } catch (java.util.concurrent.ExecutionException error) {
                same(error.getMessage().contains("too large"), true);
            }
            same(refused.getStatus().isSuccess(), false);
            same(client.get("large"), null);
        }
        says(client.set("large", 0, "new"), true);
        same(client.get("large"), "new");
    }

    private void keysUpToTheirLength() throws Exception {
        String longest = "k".repeat(250);
        says(client.set(longest, 0, "a"), true);
        same(client.get(longest), "a");
        String umlauts = "ä".repeat(125);
        same(umlauts.getBytes(StandardCharsets.UTF_8).length, 250);
        says(client.set(umlauts, 0, "b"), true);
        same(client.getBulk(umlauts, longest), Map.of(umlauts, "b", longest, "a"));
    }

    private void versionAndStats() {
        String version = client.getVersions().values().iterator().next();
        same(version.matches("\\d+\\.\\d+\\.\\d+"), true);
        Map<String, String> stats = client.getStats().values().iterator().next();
        same(stats.get("version"), version);
        for (String name : Arrays.asList("curr_connections", "limit_maxbytes", "cmd_get", "get_hits")) {
            same(Long.parseLong(stats.get(name)) > 0, true);
        }
        for (String topic : Arrays.asList("settings", "items", "slabs")) {
            same(client.getStats(topic).values().iterator().next().size() > 3, true);
        }
    }

    private void flushes() throws Exception {
        says(client.set("k", 0, "a"), true);
        says(client.flush(), true);
        same(client.get("k"), null);
        says(client.set("k", 0, "b"), true);
        same(client.get("k"), "b");
    }
}

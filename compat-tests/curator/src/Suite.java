import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs scenarios with Curator: {@code [--only TEXT] [--quick] [--list] HOST:PORT[,HOST:PORT...]}. */
public final class Suite {
    private static final int SCENARIO_SECONDS = 120;

    interface Scenario {
        void run(World w) throws Exception;
    }

    private static final Map<String, Scenario> ALL = new LinkedHashMap<>();

    private Suite() {}

    static void add(String name, Scenario scenario) {
        Check.that(ALL.put(name, scenario) == null, "two scenarios are called " + name);
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 4 && arguments[0].equals(Killing.HOLD)) {
            Killing.hold(arguments[1], arguments[2], arguments[3]);
            return;
        }
        Basics.register();
        Killing.register();
        Recipes.register();
        String only = "";
        boolean quick = false;
        boolean list = false;
        List<String> rest = new ArrayList<>();
        for (int at = 0; at < arguments.length; at++) {
            switch (arguments[at]) {
                case "--only" -> only = arguments[++at];
                case "--quick" -> quick = true;
                case "--list" -> list = true;
                default -> rest.add(arguments[at]);
            }
        }
        boolean good = true;
        for (Map.Entry<String, Scenario> entry : ALL.entrySet()) {
            if (!entry.getKey().contains(only)) {
                continue;
            }
            if (list) {
                System.out.println(entry.getKey());
            } else {
                good &= run(rest.get(0), entry, quick);
            }
        }
        // Threads of clients that were cut off may linger.
        System.exit(good ? 0 : 1);
    }

    private static boolean run(String servers, Map.Entry<String, Scenario> entry, boolean quick)
            throws Exception {
        ExecutorService thread = Executors.newSingleThreadExecutor();
        Future<?> done = thread.submit(() -> {
            try (World world = new World(servers, entry.getKey(), quick)) {
                entry.getValue().run(world);
            }
            return null;
        });
        try {
            done.get(SCENARIO_SECONDS, TimeUnit.SECONDS);
            System.out.println("ok " + entry.getKey());
            return true;
        } catch (ExecutionException e) {
            StringWriter text = new StringWriter();
            e.getCause().printStackTrace(new PrintWriter(text));
            System.out.println("FAIL " + entry.getKey() + ": "
                + text.toString().strip().replace("\n", "\n    "));
        } catch (TimeoutException e) {
            System.out.println("FAIL " + entry.getKey() + ": took more than "
                + SCENARIO_SECONDS + " seconds");
        } finally {
            thread.shutdownNow();
        }
        return false;
    }
}

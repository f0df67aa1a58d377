import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/** Runs scenarios with the official Java client; arguments: server, text of names, quick or not. */
public final class Scenarios {
    interface Scenario {
        void run(World w) throws Exception;
    }

    private static final Map<String, Scenario> ALL = new LinkedHashMap<>();

    private Scenarios() {}

    static void add(String name, Scenario scenario) {
        Check.that(ALL.put(name, scenario) == null, "two scenarios are called " + name);
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 3 && arguments[0].equals(Killing.HOLD)) {
            Killing.hold(arguments[1], arguments[2]);
            return;
        }
        Znodes.register();
        Transactions.register();
        Watches.register();
        Sessions.register();
        Killing.register();
        int failed = 0;
        for (Map.Entry<String, Scenario> entry : ALL.entrySet()) {
            if (entry.getKey().contains(arguments[1])) {
                failed += run(arguments[0], entry, arguments[2].equals("quick")) ? 0 : 1;
            }
        }
        // Threads of clients that were cut off may linger.
        System.exit(failed == 0 ? 0 : 1);
    }

    private static boolean run(String server, Map.Entry<String, Scenario> entry, boolean quick) {
        try (World world = new World(server, entry.getKey(), quick)) {
            entry.getValue().run(world);
            System.out.println("ok " + entry.getKey());
            return true;
        } catch (Throwable problem) {
            StringWriter text = new StringWriter();
            problem.printStackTrace(new PrintWriter(text));
            System.out.println("FAIL " + entry.getKey() + ": "
                + text.toString().strip().replace("\n", "\n    "));
            return false;
        }
    }
}

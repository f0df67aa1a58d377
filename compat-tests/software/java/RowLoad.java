import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Delete;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * What a user does with HBase. It finds the servers by hbase-site.xml, in the class path.
 *
 * <p>`RowLoad quickstart` makes a table, puts, gets and scans rows, and drops the table.
 *
 * <p>`RowLoad run REGIONS ROWS_PER_SECOND` writes numbered rows into every region of a table, a
 * thread each, and reads rows that were acknowledged, until standard input ends. Then it reads all.
 * It prints `progress ACKNOWLEDGED READ` every second, of the slowest region, `bad SENTENCE` for
 * everything that should not be, and in the end `done SENT ACKNOWLEDGED FOUND LONGEST`: the longest
 * time in milliseconds that a row waited for its acknowledgement.
 */
public class RowLoad {
    private static final byte[] FAMILY = Bytes.toBytes("cf");
    private static final byte[] COLUMN = Bytes.toBytes("a");
    private static final TableName TABLE = TableName.valueOf("rows");

    private final Connection connection;
    private final long millisEach;
    private final List<Region> regions = new ArrayList<>();
    private final AtomicLong longest = new AtomicLong();
    private volatile boolean writing = true;

    private RowLoad(Connection connection, int count, int rate) {
        this.connection = connection;
        this.millisEach = 1000L * count / rate;
        for (int number = 0; number < count; number++) {
            regions.add(new Region(number));
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void make(Connection connection, TableName name, byte[][] splits)
            throws IOException {
        try (Admin admin = connection.getAdmin()) {
            admin.createTable(TableDescriptorBuilder.newBuilder(name)
                    .setColumnFamily(ColumnFamilyDescriptorBuilder.of(FAMILY)).build(), splits);
        }
    }

    private static byte[] value(byte[] key) {
        return Bytes.add(Bytes.toBytes("value of "), key);
    }

    private static boolean is(Result result, byte[] key) {
        return Bytes.equals(result.getValue(FAMILY, COLUMN), value(key));
    }

    /** A region, with who writes to it and who reads what was written. */
    private class Region {
        final int number;
        volatile int sent = 0;
        volatile int acknowledged = 0;
        volatile int read = 0;
        final Thread writer = new Thread(this::write);
        final Thread reader = new Thread(this::read);

        Region(int number) {
            this.number = number;
        }

        byte[] key(int row) {
            return Bytes.toBytes(String.format("%d-%08d", number, row));
        }

        void write() {
            try (Table table = connection.getTable(TABLE)) {
                while (writing) {
                    byte[] key = key(sent);
                    long began = System.nanoTime();
                    sent++;
                    table.put(new Put(key).addColumn(FAMILY, COLUMN, value(key)));
                    longest.accumulateAndGet((System.nanoTime() - began) / 1_000_000, Math::max);
                    acknowledged++;
                    Thread.sleep(millisEach);
                }
            } catch (IOException | InterruptedException error) {
                say("bad region " + number + ": a row was not taken: " + error);
            }
        }

        /** Reads the newest row, and one of all that were acknowledged. */
        void read() {
            try (Table table = connection.getTable(TABLE)) {
                while (writing) {
                    int end = acknowledged;
                    if (end > 0) {
                        expect(table, end - 1);
                        expect(table, ThreadLocalRandom.current().nextInt(end));
                    }
                    read = end;
                    Thread.sleep(millisEach);
                }
            } catch (IOException | InterruptedException error) {
                say("bad region " + number + ": a row was not read: " + error);
            }
        }

        private void expect(Table table, int row) throws IOException {
            byte[] key = key(row);
            if (!is(table.get(new Get(key)), key)) {
                say("bad region " + number + ": the acknowledged row " + row + " is not there");
            }
        }

        /** Reads all rows, which must be those that were written; how many there are. */
        int scan() throws IOException {
            int found = 0;
            Scan scan = new Scan().setStartStopRowForPrefixScan(Bytes.toBytes(number + "-"));
            try (Table table = connection.getTable(TABLE);
                    ResultScanner rows = table.getScanner(scan)) {
                for (Result row : rows) {
                    byte[] key = key(found);
                    if (!Bytes.equals(row.getRow(), key) || !is(row, key)) {
                        say("bad region " + number + ": " + row + " is there, not row " + found);
                        return found;
                    }
                    found++;
                }
            }
            if (found < acknowledged) {
                say("bad region " + number + ": only " + found + " rows of " + acknowledged);
            }
            return found;
        }
    }

    private void run() throws IOException, InterruptedException {
        byte[][] splits = new byte[regions.size() - 1][];
        for (int number = 1; number < regions.size(); number++) {
            splits[number - 1] = Bytes.toBytes(String.valueOf(number));
        }
        make(connection, TABLE, splits);
        for (Region region : regions) {
            region.writer.start();
            region.reader.start();
        }
        Thread input = new Thread(this::readToEnd);
        input.setDaemon(true);
        input.start();
        while (writing) {
            Thread.sleep(1000);
            say("progress " + regions.stream().mapToInt(region -> region.acknowledged).min()
                    .getAsInt() + " " + regions.stream().mapToInt(region -> region.read).min()
                    .getAsInt());
        }
        int found = 0;
        for (Region region : regions) {
            region.writer.join();
            region.reader.join();
            found += region.scan();
        }
        say("done " + regions.stream().mapToInt(region -> region.sent).sum() + " "
                + regions.stream().mapToInt(region -> region.acknowledged).sum() + " " + found
                + " " + longest);
    }

    private void readToEnd() {
        try {
            while (System.in.read() >= 0) {
                // Only the end counts.
            }
        } catch (IOException error) {
            say("bad standard input: " + error);
        }
        writing = false;
    }

    private static void expect(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** The steps of HBase's quick start. */
    private static void quickStart(Connection connection) throws IOException {
        TableName name = TableName.valueOf("test");
        make(connection, name, null);
        try (Table table = connection.getTable(name); Admin admin = connection.getAdmin()) {
            expect(admin.tableExists(name), "the table is not listed");
            for (int row = 1; row <= 3; row++) {
                byte[] key = Bytes.toBytes("row" + row);
                table.put(new Put(key).addColumn(FAMILY, COLUMN, value(key)));
            }
            int found = 0;
            try (ResultScanner rows = table.getScanner(FAMILY)) {
                for (Result row : rows) {
                    expect(is(row, Bytes.toBytes("row" + ++found)), "a scan found " + row);
                }
            }
            expect(found == 3, "a scan found " + found + " rows");
            table.delete(new Delete(Bytes.toBytes("row1")));
            expect(table.get(new Get(Bytes.toBytes("row1"))).isEmpty(), "a deleted row is there");
            admin.disableTable(name);
            admin.enableTable(name);
            byte[] key = Bytes.toBytes("row2");
            expect(is(table.get(new Get(key)), key), "row2 is not there");
            admin.disableTable(name);
            admin.deleteTable(name);
            expect(!admin.tableExists(name), "the table is still listed");
        }
        say("well");
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        Configuration configuration = HBaseConfiguration.create();
        try (Connection connection = ConnectionFactory.createConnection(configuration)) {
            if (args[0].equals("quickstart")) {
                quickStart(connection);
            } else {
                new RowLoad(connection, Integer.parseInt(args[1]), Integer.parseInt(args[2]))
                        .run();
            }
        }
    }
}

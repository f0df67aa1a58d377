import java.io.IOException;
import java.time.Duration;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes numbered records to all partitions of some topics and reads them in a consumer group,
 * until standard input ends. Then it reads what is acknowledged and not yet read, and ends.
 *
 * <p>`RecordLoad BOOTSTRAP TOPIC,TOPIC... PARTITIONS RECORDS_PER_SECOND`. It prints `progress
 * ACKNOWLEDGED CONSUMED` every second, of the slowest partition, `bad SENTENCE` for everything that
 * should not be, and in the end `done SENT ACKNOWLEDGED CONSUMED LONGEST`: the longest time in
 * milliseconds that a record waited for its acknowledgement.
 */
public class RecordLoad {
    private static final Duration DRAIN = Duration.ofSeconds(120);
    private static final String PADDING = "x".repeat(100);

    /** The numbers of the records of one partition. */
    private static class Numbers {
        int sent = 0;
        final BitSet acknowledged = new BitSet();
        final BitSet consumed = new BitSet();
        int written = 0;
        int read = 0;
        int last = -1;
        long next = 0;
    }

    private final Map<TopicPartition, Numbers> partitions = new HashMap<>();
    private final String bootstrap;
    private final List<String> topics;
    private final long nanosEach;
    private final AtomicLong acknowledged = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final AtomicLong longest = new AtomicLong();
    private volatile long consumed = 0;
    private volatile boolean producing = true;
    private volatile boolean consuming = true;

    private RecordLoad(String bootstrap, List<String> topics, int count, int rate) {
        this.bootstrap = bootstrap;
        this.topics = topics;
        this.nanosEach = 1_000_000_000L / rate;
        for (String topic : topics) {
            for (int partition = 0; partition < count; partition++) {
                partitions.put(new TopicPartition(topic, partition), new Numbers());
            }
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private void produce() {
        Properties properties = properties();
        properties.put("acks", "all");
        properties.put("linger.ms", "5");
        try (var producer = new KafkaProducer<>(
                properties, new StringSerializer(), new StringSerializer())) {
            long due = System.nanoTime();
            while (producing) {
                for (var entry : partitions.entrySet()) {
                    send(producer, entry.getKey(), entry.getValue());
                    due += nanosEach;
                }
                long early = due - System.nanoTime();
                if (early > 0) {
                    Thread.sleep(early / 1_000_000, (int) (early % 1_000_000));
                } else if (early < -1_000_000_000L) {
                    // What was missed while nothing could be sent is not made up for.
                    due = System.nanoTime();
                }
            }
            producer.flush();
        } catch (KafkaException | InterruptedException error) {
            say("bad the producer ended: " + error);
        }
    }

    private void send(
            KafkaProducer<String, String> producer, TopicPartition partition, Numbers numbers) {
        int number = numbers.sent++;
        long began = System.nanoTime();
        var record = new ProducerRecord<String, String>(
                partition.topic(), partition.partition(), null, number + " " + PADDING);
        producer.send(record, (data, error) -> {
            if (error == null) {
                acknowledge(partition, numbers, number, data);
                longest.accumulateAndGet((System.nanoTime() - began) / 1_000_000, Math::max);
            } else if (failed.getAndIncrement() < 10) {
                say("bad " + partition + ": record " + number + " was not taken: " + error);
            }
        });
    }

    private void acknowledge(
            TopicPartition partition, Numbers numbers, int number, RecordMetadata data) {
        if (data.hasOffset() && data.offset() != number && failed.get() == 0) {
            say("bad " + partition + ": record " + number + " got the offset " + data.offset());
        }
        synchronized (numbers) {
            numbers.acknowledged.set(number);
            numbers.written++;
        }
        acknowledged.incrementAndGet();
    }

    private void consume() {
        Properties properties = properties();
        properties.put("group.id", "load");
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<>(
                properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(topics, new Positions(consumer));
            long committed = System.nanoTime();
            while (consuming) {
                for (ConsumerRecord<String, String> record
                        : consumer.poll(Duration.ofMillis(200))) {
                    take(record);
                }
                if (System.nanoTime() - committed > 1_000_000_000L) {
                    committed = System.nanoTime();
                    consumer.commitAsync();
                }
            }
        } catch (KafkaException error) {
            say("bad the consumer ended: " + error);
        }
    }

    /** Goes on where this consumer was, so that nothing is read twice after a rebalance. */
    private class Positions implements ConsumerRebalanceListener {
        private final KafkaConsumer<String, String> consumer;

        Positions(KafkaConsumer<String, String> consumer) {
            this.consumer = consumer;
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> revoked) {}

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
            for (TopicPartition partition : assigned) {
                consumer.seek(partition, partitions.get(partition).next);
            }
        }
    }

    private void take(ConsumerRecord<String, String> record) {
        TopicPartition partition = new TopicPartition(record.topic(), record.partition());
        Numbers numbers = partitions.get(partition);
        int number = Integer.parseInt(record.value().substring(0, record.value().indexOf(' ')));
        if (record.offset() != numbers.next) {
            say("bad " + partition + ": after offset " + (numbers.next - 1) + " came "
                    + record.offset());
        }
        if (number <= numbers.last) {
            say("bad " + partition + ": after record " + numbers.last + " came " + number);
        }
        numbers.next = record.offset() + 1;
        numbers.last = number;
        synchronized (numbers) {
            numbers.consumed.set(number);
            numbers.read++;
        }
        consumed++;
    }

    /** How many acknowledged records have not been read; says which if asked to. */
    private int missing(boolean say) {
        int missing = 0;
        for (var entry : partitions.entrySet()) {
            Numbers numbers = entry.getValue();
            BitSet rest;
            synchronized (numbers) {
                rest = (BitSet) numbers.acknowledged.clone();
                rest.andNot(numbers.consumed);
            }
            missing += rest.cardinality();
            if (say && !rest.isEmpty()) {
                say("bad " + entry.getKey() + ": " + rest.cardinality()
                        + " acknowledged records were not read, the first is "
                        + rest.nextSetBit(0));
            }
        }
        return missing;
    }

    /** What was written to the slowest partition, or read of it. */
    private int least(boolean written) {
        int least = Integer.MAX_VALUE;
        for (Numbers numbers : partitions.values()) {
            synchronized (numbers) {
                least = Math.min(least, written ? numbers.written : numbers.read);
            }
        }
        return least;
    }

    private void run() throws InterruptedException {
        Thread producer = new Thread(this::produce, "produce");
        Thread consumer = new Thread(this::consume, "consume");
        producer.start();
        consumer.start();
        Thread input = new Thread(this::readToEnd, "input");
        input.setDaemon(true);
        input.start();
        while (producing) {
            Thread.sleep(1000);
            say("progress " + least(true) + " " + least(false));
        }
        producer.join();
        long deadline = System.nanoTime() + DRAIN.toNanos();
        while (missing(false) > 0 && consumer.isAlive() && System.nanoTime() < deadline) {
            Thread.sleep(100);
        }
        missing(true);
        consuming = false;
        consumer.join();
        int sent = partitions.values().stream().mapToInt(numbers -> numbers.sent).sum();
        say("done " + sent + " " + acknowledged + " " + consumed + " " + longest);
    }

    private void readToEnd() {
        try {
            while (System.in.read() >= 0) {
                // Only the end counts.
            }
        } catch (IOException error) {
            say("bad standard input: " + error);
        }
        producing = false;
    }

    public static void main(String[] args) throws InterruptedException {
        new RecordLoad(args[0], List.of(args[1].split(",")), Integer.parseInt(args[2]),
                Integer.parseInt(args[3])).run();
    }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A subscriber: receives the requests to tell somebody something, and tells them (here: it prints).
 *
 * <p>What comes from Kafka is first kept in the directory that the argument names, each notification once;
 * then the position is committed; then what is due is delivered. So nothing is lost when it ends at any
 * moment, nothing is delivered early, and a notification that comes again is known. Ctrl-C or SIGTERM ends it.
 */
public final class TicketSubscriber {
    private static final String SERVERS =
            System.getenv().getOrDefault("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092");
    private static final String PREFIX = System.getenv().getOrDefault("TICKETFLOW_TOPIC_PREFIX", "tickets");
    private static final String GROUP = System.getenv().getOrDefault("SUBSCRIBER_GROUP", "example-subscriber");
    /** The topic keeps 14 days; nobody wants to be told of them on the first start. */
    private static final Duration TOO_OLD = Duration.ofDays(1);
    /** A day longer than the topic, so that whatever comes again is known. */
    private static final Duration KEPT = Duration.ofDays(15);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Who a ticket's citizen is, from the state topic: the last record of a key counts, none means gone. */
    private static final class People implements AutoCloseable {
        private final Map<String, JsonNode> clients = new HashMap<>();
        private final Consumer<String, String> consumer = new KafkaConsumer<>(settings(null));

        /** Reads the whole topic. It is compacted: about one record for each ticket that is not over. */
        People() throws IOException {
            List<TopicPartition> places = consumer.partitionsFor(PREFIX + ".state").stream()
                    .map(found -> new TopicPartition(found.topic(), found.partition()))
                    .toList();
            if (places.isEmpty()) {
                throw new UnknownTopicOrPartitionException("There is no topic " + PREFIX + ".state.");
            }
            consumer.assign(places);
            consumer.seekToBeginning(places);
            Map<TopicPartition, Long> ends = consumer.endOffsets(places);
            while (places.stream().anyMatch(place -> consumer.position(place) < ends.get(place))) {
                refresh(Duration.ofMillis(500));
            }
        }

        /** Takes in what has come since. */
        void refresh(Duration timeout) throws IOException {
            for (ConsumerRecord<String, String> record : consumer.poll(timeout)) {
                if (record.value() == null) { // a tombstone: the ticket is over, and the person is forgotten
                    clients.remove(record.key());
                } else {
                    clients.put(record.key(), JSON.readTree(record.value()).at("/data/client"));
                }
            }
        }

        /** Returns the citizen with id, name, phone, email as far as known; null where there is no such one. */
        JsonNode find(String ticketId, String clientId) {
            JsonNode client = clients.get(ticketId);
            return client != null && client.path("id").asText().equals(clientId) ? client : null;
        }

        @Override
        public void close() {
            consumer.close();
        }
    }

    /** Every notification of the last days, once, as a file in waiting/ or in done/. */
    private static final class Inbox {
        private final Path waiting;
        private final Path done;

        Inbox(Path directory) throws IOException {
            waiting = Files.createDirectories(directory.resolve("waiting"));
            done = Files.createDirectories(directory.resolve("done"));
        }

        /** Keeps it if it is new. The name is time and id: a ticket id may be used again. */
        void keep(String value) throws IOException {
            JsonNode event = JSON.readTree(value);
            String name = event.get("time").asText() + "@" + event.get("id").asText().replace('/', '+');
            if (Files.exists(done.resolve(name)) || Files.exists(waiting.resolve(name))) {
                return;
            }
            Path half = Files.write(
                    done.resolveSibling("new"),
                    value.getBytes(StandardCharsets.UTF_8),
                    StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE,
                    StandardOpenOption.DSYNC);
            Files.move(half, waiting.resolve(name), StandardCopyOption.ATOMIC_MOVE);
        }

        /** Returns what is not done, the oldest first. */
        List<Path> undone() throws IOException {
            try (Stream<Path> files = Files.list(waiting)) {
                return files.sorted().toList();
            }
        }

        /** Remembers that this one is over. */
        void done(Path file) throws IOException {
            Files.move(file, done.resolve(file.getFileName()), StandardCopyOption.ATOMIC_MOVE);
        }

        /** Drops what the topic keeps no longer, too. */
        void forget() throws IOException {
            Instant oldest = Instant.now().minus(KEPT);
            try (Stream<Path> files = Files.list(done)) {
                for (Path file : files.toList()) {
                    if (Files.getLastModifiedTime(file).toInstant().isBefore(oldest)) {
                        Files.delete(file);
                    }
                }
            }
        }
    }

    private static Properties settings(String group) {
        Properties settings = new Properties();
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, SERVERS);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed"); // what was taken back never was
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class);
        settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class);
        if (group != null) {
            settings.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        }
        return settings;
    }

    /**
     * Tells somebody: put your mail server or SMS provider here. An IOException means: again in a moment.
     *
     * <p>If the process ends between this and the note that it is done, this is called again. So hand the id
     * on, as the e-mail's Message-ID or the provider's idempotency key, by which the other side knows a repeat.
     */
    private static void tell(String id, JsonNode notification, JsonNode client) throws IOException {
        System.out.printf(
                "%s: %s to %s %s by %s, address %s%n",
                id,
                notification.get("template").asText(),
                notification.at("/recipient/role").asText(),
                notification.at("/recipient/ref").asText(),
                notification.get("channel").asText(),
                client == null ? "not needed" : "known");
    }

    /** Delivers one notification if it is due; returns whether it is over. */
    private static boolean deliver(JsonNode event, People people) throws IOException {
        JsonNode notification = event.get("data");
        Instant due = Instant.parse(notification.path("not_before").asText(event.get("time").asText()));
        if (due.isAfter(Instant.now())) {
            return false;
        }
        if (due.isBefore(Instant.now().minus(TOO_OLD))) {
            return true;
        }
        JsonNode client = null;
        if (notification.at("/recipient/role").asText().equals("client")) {
            client = people.find(
                    notification.get("ticket_id").asText(), notification.at("/recipient/ref").asText());
            if (client == null) { // its state record may come a moment after the notification
                return false;
            }
        }
        tell(event.get("id").asText(), notification, client);
        return true;
    }

    private static void deliverAll(Inbox inbox, People people) throws IOException {
        for (Path file : inbox.undone()) {
            try {
                if (deliver(JSON.readTree(file.toFile()), people)) {
                    inbox.done(file);
                }
            } catch (IOException later) {
                System.err.println("A delivery failed and will be tried again: " + file.getFileName());
            }
        }
    }

    private static void run(Inbox inbox, People people, Consumer<String, String> consumer) throws IOException {
        consumer.subscribe(List.of(PREFIX + ".notifications"));
        while (true) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                inbox.keep(record.value());
            }
            try {
                consumer.commitSync();
            } catch (CommitFailedException moved) {
                // Another member has the partitions by now; it reads these records again.
            }
            people.refresh(Duration.ZERO);
            deliverAll(inbox, people);
            inbox.forget();
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: TicketSubscriber DIRECTORY (what was received is kept there)");
            System.exit(2);
        }
        CountDownLatch ended = new CountDownLatch(1);
        int status = 0;
        try (People people = new People();
                Consumer<String, String> consumer = new KafkaConsumer<>(settings(GROUP))) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> end(consumer, ended)));
            run(new Inbox(Path.of(arguments[0])), people, consumer);
        } catch (WakeupException told) {
            System.err.println("Ended as told.");
        } catch (KafkaException problem) {
            System.err.printf(
                    "Kafka cannot be read (%s): check the servers and the topic prefix, and start it again;"
                            + " nothing is lost.%n",
                    problem.getClass().getSimpleName());
            status = 1;
        } finally {
            ended.countDown();
        }
        System.exit(status);
    }

    /** Lets the loop end, and waits until it has left the group. */
    private static void end(Consumer<String, String> consumer, CountDownLatch ended) {
        consumer.wakeup(); // the one method that another thread may call
        try {
            ended.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}

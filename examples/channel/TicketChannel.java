import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A telephony channel: a call is registered, an operator takes it, and it is resolved.
 *
 * <p>The argument is the number of the call. Run it again with the same number: the ids are the same, so
 * nothing happens a second time. That is also what to do when an event was not acknowledged.
 */
public final class TicketChannel {
    private static final String SERVERS =
            System.getenv().getOrDefault("TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092");
    private static final String TOPIC =
            System.getenv().getOrDefault("TICKETFLOW_TOPIC_PREFIX", "tickets") + ".events";
    private static final String SOURCE = "urn:example:telephony"; // names this channel; nobody else uses it
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Producer<String, byte[]> producer;

    private TicketChannel(Producer<String, byte[]> producer) {
        this.producer = producer;
    }

    /** Publishes one event and waits until Kafka has it. */
    private void publish(String ticketId, String type, String id, Instant happenedAt, Map<String, ?> data)
            throws ExecutionException, InterruptedException, JsonProcessingException {
        Map<String, Object> event = Map.of(
                "specversion", "1.0",
                "id", id,
                "source", SOURCE,
                "type", type,
                "subject", ticketId,
                "time", happenedAt.toString(), // with an offset: Z
                "data", data);
        // The key is the same as the subject. Java's default partitioner hashes it with murmur2.
        ProducerRecord<String, byte[]> record =
                new ProducerRecord<>(TOPIC, ticketId, JSON.writeValueAsBytes(event));
        record.headers().add("content-type", "application/cloudevents+json".getBytes(StandardCharsets.UTF_8));
        RecordMetadata written = producer.send(record).get();
        System.out.printf(
                "%s %s is in partition %d at offset %d%n", type, id, written.partition(), written.offset());
    }

    /** Publishes what happened in one call. Each id says what happened, so it is the same at every try. */
    private void call(String number) throws ExecutionException, InterruptedException, JsonProcessingException {
        String ticketId = "CALL-" + number;
        // A real channel takes the time from its own records, so that it is the same at every try, too.
        Instant now = Instant.now();
        Map<String, String> citizen =
                Map.of("id", "C-" + number, "email", "citizen-" + number + "@example.com", "notify", "email");
        Map<String, Object> created =
                Map.of("channel", "phone", "category", "status_check", "region", "77", "client", citizen);
        publish(ticketId, "ticket.created.v1", "call-" + number + "/registered", now, created);
        publish(ticketId, "ticket.assigned.v1", "call-" + number + "/taken-1", now, Map.of("operator", "op-7"));
        publish(ticketId, "ticket.resolved.v1", "call-" + number + "/resolved-1", now,
                Map.of("summary", "The application is being looked at."));
    }

    private static Properties settings() {
        Properties settings = new Properties();
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, SERVERS);
        // A retry neither doubles records nor changes their order.
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000);
        settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30_000);
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 30_000L);
        return settings;
    }

    public static void main(String[] arguments) throws InterruptedException, JsonProcessingException {
        if (arguments.length != 1 || !arguments[0].matches("[0-9]+")) {
            System.err.println("usage: TicketChannel NUMBER (digits: the number of the call)");
            System.exit(2);
        }
        try (Producer<String, byte[]> producer =
                new KafkaProducer<>(settings(), new StringSerializer(), new ByteArraySerializer())) {
            new TicketChannel(producer).call(arguments[0]);
        } catch (ExecutionException | KafkaException problem) {
            Throwable cause = problem instanceof ExecutionException ? problem.getCause() : problem;
            System.err.printf(
                    "Not acknowledged (%s): run it again with the same number.%n",
                    cause.getClass().getSimpleName());
            System.exit(1);
        }
    }
}

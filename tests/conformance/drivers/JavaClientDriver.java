import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Drives Apache's Java clients: one JSON command a line on stdin, one JSON answer a line. */
public final class JavaClientDriver {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        var input = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonNode command = JSON.readTree(line);
            ObjectNode answer;
            try {
                answer = switch (command.get("op").asText()) {
                    case "produce" -> produce(command);
                    case "consume" -> consume(command);
                    case "offsets" -> offsets(command);
                    case "admin" -> admin(command);
                    default -> throw new IllegalArgumentException("unknown op");
                };
            } catch (Exception error) {
                Throwable cause = error.getCause() == null ? error : error.getCause();
                answer = JSON.createObjectNode().put("ok", false)
                    .put("error", cause.getClass().getSimpleName());
            }
            System.out.println(JSON.writeValueAsString(answer));
        }
    }

    private static ObjectNode produce(JsonNode command) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", command.get("bootstrap").asText());
        settings.put("acks", command.get("acks").asText());
        settings.put("enable.idempotence", command.get("idempotent").asText());
        settings.put("compression.type", command.get("codec").asText());
        settings.put("max.request.size", "50000000");
        settings.put("linger.ms", "20");
        settings.put("delivery.timeout.ms", "25000");
        settings.put("request.timeout.ms", "10000");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        ArrayNode offsets = JSON.createArrayNode();
        try (var producer = new KafkaProducer<>(
                settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (JsonNode record : command.get("records")) {
                var message = new ProducerRecord<>(
                    command.get("topic").asText(),
                    record.get("partition").asInt(),
                    record.get("timestamp").asLong(),
                    decode(record.get("key")),
                    decode(record.get("value")));
                for (JsonNode header : record.get("headers")) {
                    message.headers().add(header.get(0).asText(), decode(header.get(1)));
                }
                sent.add(producer.send(message));
            }
            producer.flush();
            for (var future : sent) offsets.add(future.get().offset());
        }
        ObjectNode answer = JSON.createObjectNode().put("ok", true);
        answer.set("offsets", offsets);
        return answer;
    }

    private static ObjectNode consume(JsonNode command) {
        ArrayNode records = JSON.createArrayNode();
        try (var consumer = consumer(command)) {
            var partition = new TopicPartition(
                command.get("topic").asText(), command.get("partition").asInt());
            consumer.assign(List.of(partition));
            consumer.seek(partition, command.get("offset").asLong());
            long deadline = System.nanoTime() + 30_000_000_000L;
            while (records.size() < command.get("count").asInt() && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record
                        : consumer.poll(java.time.Duration.ofMillis(200))) {
                    ObjectNode out = records.addObject();
                    out.put("offset", record.offset()).put("timestamp", record.timestamp());
                    out.put("key", encode(record.key())).put("value", encode(record.value()));
                    ArrayNode headers = out.putArray("headers");
                    for (Header header : record.headers()) {
                        headers.addArray().add(header.key()).add(encode(header.value()));
                    }
                }
            }
        }
        ObjectNode answer = JSON.createObjectNode().put("ok", true);
        answer.set("records", records);
        return answer;
    }

    private static ObjectNode offsets(JsonNode command) {
        try (var consumer = consumer(command)) {
            var partition = new TopicPartition(
                command.get("topic").asText(), command.get("partition").asInt());
            var found = consumer.offsetsForTimes(
                Map.of(partition, command.get("timestamp").asLong())).get(partition);
            return JSON.createObjectNode().put("ok", true)
                .put("earliest", consumer.beginningOffsets(List.of(partition)).get(partition))
                .put("latest", consumer.endOffsets(List.of(partition)).get(partition))
                .put("atTimestamp", found == null ? -1 : found.offset());
        }
    }

    private static ObjectNode admin(JsonNode command) throws Exception {
        String topic = command.get("topic").asText();
        Properties settings = new Properties();
        settings.put("bootstrap.servers", command.get("bootstrap").asText());
        try (Admin client = Admin.create(settings)) {
            client.createTopics(List.of(new NewTopic(topic, 2, (short) 1)
                .configs(Map.of("retention.ms", "3600000")))).all().get();
            client.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            String retention = client.describeConfigs(List.of(resource)).all().get()
                .get(resource).get("retention.ms").value();
            int partitions = client.describeTopics(List.of(topic)).allTopicNames().get()
                .get(topic).partitions().size();
            int nodes = client.describeCluster().nodes().get().size();
            var partition = new TopicPartition(topic, 0);
            long latest = client.listOffsets(Map.of(partition, OffsetSpec.latest())).all().get()
                .get(partition).offset();
            client.describeMetadataQuorum().quorumInfo().get();
            client.deleteTopics(List.of(topic)).all().get();
            return JSON.createObjectNode().put("ok", true).put("partitions", partitions)
                .put("retentionMs", retention).put("nodes", nodes).put("latest", latest);
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(JsonNode command) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", command.get("bootstrap").asText());
        settings.put("auto.offset.reset", "none");
        settings.put("enable.auto.commit", "false");
        settings.put("check.crcs", "true");
        return new KafkaConsumer<>(
            settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static byte[] decode(JsonNode value) {
        return value.isNull() ? null : Base64.getDecoder().decode(value.asText());
    }

    private static String encode(byte[] value) {
        return value == null ? null : Base64.getEncoder().encodeToString(value);
    }
}

import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
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
                answer = run(command).put("ok", true);
            } catch (Exception error) {
                Throwable cause = error.getCause() == null ? error : error.getCause();
                answer = JSON.createObjectNode().put("ok", false)
                    .put("error", cause.getClass().getSimpleName());
            }
            System.out.println(JSON.writeValueAsString(answer));
        }
    }

    private static ObjectNode run(JsonNode command) throws Exception {
        return switch (command.get("op").asText()) {
            case "produce" -> produce(command);
            case "consume" -> consume(command);
            case "offsets" -> offsets(command);
            case "create" -> create(command);
            case "describe" -> describe(command);
            case "alter" -> alter(command);
            case "addPartitions" -> addPartitions(command);
            case "deleteRecords" -> deleteRecords(command);
            case "delete" -> delete(command);
            default -> throw new IllegalArgumentException("unknown op");
        };
    }

    private static ObjectNode produce(JsonNode command) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", command.get("bootstrap").asText());
        settings.put("acks", command.get("acks").asText());
        settings.put("enable.idempotence", command.get("idempotent").asText());
        settings.put("compression.type", command.get("codec").asText());
        settings.put("max.request.size", "50000000");
        // One batch, however slowly this program runs: flush does not wait for it.
        settings.put("linger.ms", "1000");
        settings.put("delivery.timeout.ms", "25000");
        settings.put("request.timeout.ms", "10000");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode offsets = answer.putArray("offsets");
        ArrayNode timestamps = answer.putArray("timestamps");
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
            for (var future : sent) {
                RecordMetadata metadata = future.get();
                // With acks=0 there is no offset.
                offsets.add(metadata.hasOffset() ? (Long) metadata.offset() : null);
                timestamps.add(metadata.timestamp());
            }
        }
        return answer;
    }

    private static ObjectNode consume(JsonNode command) {
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode records = answer.putArray("records");
        try (var consumer = consumer(command)) {
            var partition = new TopicPartition(
                command.get("topic").asText(), command.get("partition").asInt());
            consumer.assign(List.of(partition));
            consumer.seek(partition, command.get("offset").asLong());
            long deadline = System.nanoTime() + 20_000_000_000L;
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
        return answer;
    }

    private static ObjectNode offsets(JsonNode command) {
        try (var consumer = consumer(command)) {
            var partition = new TopicPartition(
                command.get("topic").asText(), command.get("partition").asInt());
            var found = consumer.offsetsForTimes(
                Map.of(partition, command.get("timestamp").asLong())).get(partition);
            return JSON.createObjectNode()
                .put("earliest", consumer.beginningOffsets(List.of(partition)).get(partition))
                .put("latest", consumer.endOffsets(List.of(partition)).get(partition))
                .put("atTimestamp", found == null ? -1 : found.offset());
        }
    }

    private static ObjectNode create(JsonNode command) throws Exception {
        var topic = new NewTopic(name(command), command.get("partitions").asInt(), (short) 1);
        try (Admin client = admin(command)) {
            client.createTopics(List.of(topic.configs(configs(command)))).all().get();
        }
        return JSON.createObjectNode();
    }

    private static ObjectNode describe(JsonNode command) throws Exception {
        String topic = name(command);
        ObjectNode answer = JSON.createObjectNode();
        try (Admin client = admin(command)) {
            var found = client.describeConfigs(List.of(resource(command))).all().get()
                .get(resource(command));
            ObjectNode configs = answer.putObject("configs");
            for (JsonNode config : command.get("configs")) {
                configs.put(config.asText(), found.get(config.asText()).value());
            }
            var description = client.describeTopics(List.of(topic)).allTopicNames().get();
            answer.put("partitions", description.get(topic).partitions().size());
            answer.put("brokers", client.describeCluster().nodes().get().size());
            answer.put("listed", client.listTopics().names().get().contains(topic));
            var partition = new TopicPartition(topic, 0);
            client.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp())).all().get();
            client.describeMetadataQuorum().quorumInfo().get();
            client.describeProducers(List.of(partition)).all().get();
            client.describeLogDirs(List.of(1)).allDescriptions().get();
        }
        return answer;
    }

    private static ObjectNode alter(JsonNode command) throws Exception {
        List<AlterConfigOp> changes = new ArrayList<>();
        configs(command).forEach((name, value) ->
            changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
        try (Admin client = admin(command)) {
            client.incrementalAlterConfigs(Map.of(resource(command), changes)).all().get();
        }
        return JSON.createObjectNode();
    }

    private static ObjectNode addPartitions(JsonNode command) throws Exception {
        var increased = NewPartitions.increaseTo(command.get("count").asInt());
        try (Admin client = admin(command)) {
            client.createPartitions(Map.of(name(command), increased)).all().get();
        }
        return JSON.createObjectNode();
    }

    private static ObjectNode deleteRecords(JsonNode command) throws Exception {
        var partition = new TopicPartition(name(command), command.get("partition").asInt());
        var before = RecordsToDelete.beforeOffset(command.get("offset").asLong());
        try (Admin client = admin(command)) {
            long low = client.deleteRecords(Map.of(partition, before)).lowWatermarks()
                .get(partition).get().lowWatermark();
            return JSON.createObjectNode().put("lowWatermark", low);
        }
    }

    private static ObjectNode delete(JsonNode command) throws Exception {
        try (Admin client = admin(command)) {
            client.deleteTopics(List.of(name(command))).all().get();
        }
        return JSON.createObjectNode();
    }

    private static Admin admin(JsonNode command) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", command.get("bootstrap").asText());
        return Admin.create(settings);
    }

    private static String name(JsonNode command) {
        return command.get("topic").asText();
    }

    private static ConfigResource resource(JsonNode command) {
        return new ConfigResource(ConfigResource.Type.TOPIC, name(command));
    }

    private static Map<String, String> configs(JsonNode command) {
        Map<String, String> configs = new HashMap<>();
        command.get("configs").properties()
            .forEach(entry -> configs.put(entry.getKey(), entry.getValue().asText()));
        return configs;
    }

    private static KafkaConsumer<byte[], byte[]> consumer(JsonNode command) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", command.get("bootstrap").asText());
        settings.put("auto.offset.reset", "none");
        settings.put("enable.auto.commit", "false");
        settings.put("check.crcs", "true");
        settings.put("isolation.level", "read_committed");
        settings.put("max.partition.fetch.bytes", "20000000");
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

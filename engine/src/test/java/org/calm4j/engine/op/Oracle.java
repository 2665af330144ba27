package org.calm4j.engine.op;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.tensor.Tensor;

/** One case of the numbers that {@code src/test/oracle/ops.py} had PyTorch compute. */
record Oracle(String name, JsonNode json) {
    static List<Oracle> cases(String noun) {
        String resource = "/oracle/ops/" + noun + ".json";
        try (InputStream in = Oracle.class.getResourceAsStream(resource)) {
            List<JsonNode> cases = Json.mapper().readTree(in).valueStream().toList();
            return IntStream.range(0, cases.size())
                    .mapToObj(i -> new Oracle(noun + " case " + i, cases.get(i)))
                    .toList();
        } catch (IOException e) {
            throw new AssertionError(resource, e);
        }
    }

    double number(String field) {
        return json.required(field).doubleValue();
    }

    /** Whole numbers as I32, others as F64. */
    Tensor tensor(String field) {
        JsonNode tensor = json.required(field);
        JsonNode data = tensor.required("data");
        long[] shape = tensor.required("shape")
                .valueStream()
                .mapToLong(JsonNode::longValue)
                .toArray();
        if (data.valueStream().allMatch(JsonNode::isInt)) {
            return Doubles.indices(
                            data.valueStream().mapToInt(JsonNode::intValue).toArray())
                    .view(shape);
        }
        return Doubles.of(data.valueStream().mapToDouble(JsonNode::doubleValue).toArray(), shape);
    }

    /** An unset tensor of a field's shape. */
    Tensor unset(String field) {
        return Doubles.unset(tensor(field).shape());
    }

    /** A zero tensor of a field's shape. */
    Tensor zero(String field) {
        long[] shape = tensor(field).shape();
        return Doubles.of(new double[Math.toIntExact(Tensor.product(shape))], shape);
    }

    void check(String field, Tensor actual) {
        Doubles.assertClose(name + ": " + field, actual, tensor(field));
    }

    @Override
    public String toString() {
        return name;
    }
}

package org.calm4j.calm.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.run.SharedDisk;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.ranks.Ranks;

/** Stages on several ranks: rank 0 decides by the ledger what is to do, and the others do with it what it tells them. */
final class SharedStages {
    /** @param stage its number in the list; -1 where there are no more */
    private record Order(int stage) {}

    private static final Order END = new Order(-1);

    private SharedStages() {}

    /** The stages for rank 0: each tells the others before it begins, if it is made by all. */
    static List<Stage> announced(Ranks ranks, List<Stage> stages) {
        if (ranks.size() == 1) {
            return stages;
        }
        List<Stage> announced = new ArrayList<>();
        for (Stage stage : stages) {
            Order order = new Order(announced.size());
            announced.add(
                    !stage.byAll()
                            ? stage
                            : stage.with(resume -> {
                                give(ranks, order);
                                SharedDisk.await(ranks, stage.inputs());
                                stage.work().run(resume);
                            }));
        }
        return announced;
    }

    /** Lets the others go. */
    static void end(Ranks ranks) {
        give(ranks, END);
    }

    private static void give(Ranks ranks, Order order) {
        ranks.broadcast(Json.compact(order).getBytes(StandardCharsets.UTF_8));
    }

    /** What ranks other than 0 do. */
    static void follow(Ranks ranks, List<Stage> stages) {
        try {
            while (true) {
                JsonNode order = Json.mapper().readTree(ranks.broadcast(null));
                int number = order.path("stage").asInt();
                if (number == END.stage()) {
                    return;
                }
                SharedDisk.await(ranks, List.of());
                stages.get(number).work().run(false);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

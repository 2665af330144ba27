package org.calm4j.calm.run;

import java.util.HashMap;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;

/** Refuses ranks that compute on the same GPU: they would only wait for each other, and have no links to one another. */
public final class OneDeviceEach {
    private OneDeviceEach() {}

    /**
     * All ranks call this; processors may be shared.
     *
     * @throws CalmException failed: names two ranks and their GPU
     */
    public static void check(Ranks ranks, Backend backend) {
        if (ranks.size() == 1) {
            return;
        }
        String device = backend.deviceId() == null
                ? ""
                : backend.describe().split(",")[0] + ", " + backend.deviceId() + "\n" + ranks.name();
        Map<String, String> owners = new HashMap<>();
        for (String said : ranks.gather(device)) {
            String[] one = said.split("\n");
            String id = one[0].substring(one[0].lastIndexOf(' ') + 1);
            String owner = id.isEmpty() ? null : owners.putIfAbsent(id, one[1]);
            if (owner != null) {
                throw CalmException.failed(
                        owner + " and " + one[1] + " have the same GPU (" + one[0]
                                + "); start as many ranks on a machine as it has GPUs, with ",
                        Setting.of("device").at("cuda"),
                        ", which takes each rank's own");
            }
        }
    }
}

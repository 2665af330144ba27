package org.calm4j.calm.run;

import java.util.LinkedHashMap;
import java.util.Map;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;

/** Ranks that share work must compute the same from the same. */
public final class SameOnAll {
    private SameOnAll() {}

    /**
     * @param data what is computed, with the settings; as JSON
     * @throws org.calm4j.engine.CalmException failed: a rank has other data or settings, another model, or computes on another kind of device
     */
    public static void check(Ranks ranks, Object data, ModelFolder model) {
        if (ranks.size() == 1) {
            return;
        }
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("data or settings (digests)", Fingerprint.of(data));
        facts.put("the model (digests)", Fingerprint.of(model.path()));
        facts.put("the device", device(model.model().backend()));
        ranks.agree(facts);
    }

    /** What decides the bits of a backend: any number of threads, and any of several equal GPUs, gives the same. */
    public static String device(Backend backend) {
        return backend.describe().replaceAll(", \\d+ threads?|(?<=^[a-z]{1,20}):\\d+(?=:)", "");
    }
}

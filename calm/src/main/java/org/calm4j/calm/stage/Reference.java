package org.calm4j.calm.stage;

import java.nio.file.Path;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.ModelFolder;

/**
 * The reference of preference training: the starting model without its adapter, or another model, with an adapter if one is named.
 *
 * @param opened another model's folder; null for the starting model
 * @param adapter on the starting model's weights; null without one
 */
record Reference(CausalLm model, ModelFolder opened, Lora adapter) implements AutoCloseable {
    /**
     * Finds by the configurations alone whether another model fits.
     *
     * @param shape of the starting model
     * @throws CalmException bad input: it does not, or there is none
     */
    static void check(ModelConfig shape, PreferenceOptions options) {
        Path folder = options.referenceModel();
        if (folder == null) {
            return;
        }
        ModelConfig its = ConfigReader.read(folder.resolve("config.json"));
        if (its.vocabulary().size() != shape.vocabulary().size()) {
            throw CalmException.badInput(
                    folder,
                    "its vocabulary has " + its.vocabulary().size() + " tokens, the model's "
                            + shape.vocabulary().size());
        }
        if (options.reference().syncRefModel() && !its.hasShapeOf(shape)) {
            throw CalmException.badInput(folder, "has another shape than the trained model, which it cannot follow");
        }
    }

    /**
     * @param lm the starting model
     * @param options that were checked
     * @throws CalmException bad input: an adapter that does not fit
     */
    static Reference open(CausalLm lm, PreferenceOptions options) {
        if (options.referenceModel() == null && options.referenceAdapter() == null) {
            return new Reference(lm.withoutAdapter(), null, null);
        }
        if (options.referenceModel() == null) {
            Lora adapter = Lora.load(lm.backend(), lm.config(), options.referenceAdapter());
            return new Reference(new CausalLm(lm.config(), lm.withoutAdapter().parameters(), adapter), null, adapter);
        }
        ModelFolder folder = ModelFolder.open(lm.backend(), options.referenceModel(), options.referenceAdapter());
        return new Reference(folder.model(), folder, null);
    }

    @Override
    public void close() {
        if (opened != null) {
            opened.close();
        }
        if (adapter != null) {
            adapter.close();
        }
    }
}

package org.calm4j.calm.stage;

import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.engine.CalmException;
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
     * @param lm the starting model
     * @throws CalmException bad input: another model or adapter that does not fit
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
        if (folder.model().config().vocabulary().size()
                != lm.config().vocabulary().size()) {
            int size = folder.model().config().vocabulary().size();
            folder.close();
            throw CalmException.badInput(
                    options.referenceModel(),
                    "its vocabulary has " + size + " tokens, the model's "
                            + lm.config().vocabulary().size());
        }
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

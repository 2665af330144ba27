package org.calm4j.calm.option;

/** The options of dpo. */
@OptionRecord
public record DpoOptions(TrainingOptions training, PreferenceOptions preference) {}

package org.calm4j.engine.model;

import java.util.Set;
import org.calm4j.engine.config.Projection;

/**
 * The settings of a new adapter.
 *
 * @param rank R
 * @param alpha the adapter's output is scaled by {@code alpha / rank}, or {@code alpha / √rank} with rsLoRA (Kalajdzievski 2023)
 * @param dropout probability with which an input of A is zeroed in training
 */
public record LoraSettings(int rank, double alpha, double dropout, boolean rankStabilized, Set<Projection> targets) {}

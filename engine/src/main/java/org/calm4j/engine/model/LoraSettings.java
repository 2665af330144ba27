package org.calm4j.engine.model;

import java.util.Set;
import org.calm4j.engine.config.Projection;

/**
 * What a fresh adapter is to be.
 *
 * @param rank R
 * @param alpha an adapter counts {@code alpha / rank}, or {@code alpha / √rank} with rsLoRA (Kalajdzievski 2023)
 * @param dropout probability with which an input of A is zeroed in training
 */
public record LoraSettings(int rank, double alpha, double dropout, boolean rankStabilized, Set<Projection> targets) {}

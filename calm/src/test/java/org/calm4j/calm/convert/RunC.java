package org.calm4j.calm.convert;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * What llama2.c's run.c does with its own two files, in double precision and written for this test alone: weights in their own order,
 * neighbouring elements turned together by the tables of the file, neighbours joined by score.
 */
final class RunC {
    final int dim;
    final int hiddenDim;
    final int layers;
    final int heads;
    final int keyValueHeads;
    final int vocabulary;
    final int positions;
    final boolean tied;
    final List<byte[]> pieces = new ArrayList<>();
    final float[] scores;
    private final float[] weights;

    RunC(
            int dim,
            int hiddenDim,
            int layers,
            int heads,
            int keyValueHeads,
            int positions,
            boolean tied,
            List<String> words,
            float[] wordScores,
            long seed) {
        this.dim = dim;
        this.hiddenDim = hiddenDim;
        this.layers = layers;
        this.heads = heads;
        this.keyValueHeads = keyValueHeads;
        this.positions = positions;
        this.tied = tied;
        vocabulary = 259 + words.size();
        pieces.add("<unk>".getBytes(StandardCharsets.UTF_8));
        pieces.add("\n<s>\n".getBytes(StandardCharsets.UTF_8));
        pieces.add("\n</s>\n".getBytes(StandardCharsets.UTF_8));
        for (int b = 0; b < 256; b++) {
            pieces.add(String.format("<0x%02X>", b).getBytes(StandardCharsets.UTF_8));
        }
        words.forEach(word -> pieces.add(word.getBytes(StandardCharsets.UTF_8)));
        scores = new float[vocabulary];
        System.arraycopy(wordScores, 0, scores, 259, wordScores.length);
        weights = random(seed);
    }

    private float[] random(long seed) {
        int width = dim / heads * keyValueHeads;
        int size = vocabulary * dim * (tied ? 1 : 2)
                + layers * (2 * dim + 2 * dim * dim + 2 * width * dim + 3 * dim * hiddenDim)
                + dim
                + positions * (dim / heads);
        float[] all = new float[size];
        Random random = new Random(seed);
        for (int i = 0; i < size; i++) {
            all[i] = (float) (0.35 * random.nextGaussian());
        }
        // Bytes and special tokens are never the most probable ones, so that the text is text.
        Arrays.fill(all, 0, dim, 0);
        Arrays.fill(all, 2 * dim, 259 * dim, 0);
        if (!tied) {
            Arrays.fill(all, size - vocabulary * dim, size - (vocabulary - 259) * dim, 0);
        }
        int tables = size - (tied ? 0 : vocabulary * dim) - positions * (dim / heads);
        int half = dim / heads / 2;
        for (int p = 0; p < positions; p++) {
            for (int i = 0; i < half; i++) {
                double angle = p * Math.pow(10000, -2.0 * i / (dim / heads));
                all[tables + p * half + i] = (float) Math.cos(angle);
                all[tables + positions * half + p * half + i] = (float) Math.sin(angle);
            }
        }
        return all;
    }

    byte[] modelFile() {
        ByteBuffer bytes = ByteBuffer.allocate(28 + 4 * weights.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(dim)
                .putInt(hiddenDim)
                .putInt(layers)
                .putInt(heads)
                .putInt(keyValueHeads)
                .putInt(tied ? vocabulary : -vocabulary);
        bytes.putInt(positions);
        for (float weight : weights) {
            bytes.putFloat(weight);
        }
        return bytes.array();
    }

    byte[] tokenizerFile() {
        ByteBuffer bytes = ByteBuffer.allocate(
                        4 + pieces.stream().mapToInt(piece -> 8 + piece.length).sum())
                .order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(pieces.stream().mapToInt(piece -> piece.length).max().orElseThrow());
        for (int id = 0; id < vocabulary; id++) {
            bytes.putFloat(scores[id]).putInt(pieces.get(id).length).put(pieces.get(id));
        }
        return bytes.array();
    }

    private int lookUp(String piece) {
        for (int id = 0; id < vocabulary; id++) {
            if (new String(pieces.get(id), StandardCharsets.UTF_8).equals(piece)) {
                return id;
            }
        }
        return -1;
    }

    List<Integer> encode(String text) {
        List<Integer> tokens = new ArrayList<>(List.of(1));
        if (!text.isEmpty()) {
            tokens.add(lookUp(" "));
        }
        text.codePoints().forEach(c -> {
            String character = Character.toString(c);
            int id = lookUp(character);
            if (id >= 0) {
                tokens.add(id);
            } else {
                for (byte b : character.getBytes(StandardCharsets.UTF_8)) {
                    tokens.add(3 + (b & 0xff));
                }
            }
        });
        while (true) {
            float best = -1e10f;
            int bestId = -1;
            int bestAt = -1;
            for (int i = 0; i + 1 < tokens.size(); i++) {
                int id = lookUp(new String(pieces.get(tokens.get(i)), StandardCharsets.UTF_8)
                        + new String(pieces.get(tokens.get(i + 1)), StandardCharsets.UTF_8));
                if (id >= 0 && scores[id] > best) {
                    best = scores[id];
                    bestId = id;
                    bestAt = i;
                }
            }
            if (bestAt < 0) {
                return tokens;
            }
            tokens.set(bestAt, bestId);
            tokens.remove(bestAt + 1);
        }
    }

    /** What it prints for a prompt: the prompt's tokens and the greedy ones behind them, until {@code steps} tokens or a token 1. */
    String generate(String prompt, int steps) {
        List<Integer> tokens = encode(prompt);
        List<double[]> keys = new ArrayList<>();
        List<double[]> values = new ArrayList<>();
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        int token = tokens.getFirst();
        for (int p = 0; p < steps; p++) {
            double[] logits = forward(token, p, keys, values);
            int next = p + 1 < tokens.size() ? tokens.get(p + 1) : argmax(logits);
            if (next == 1) {
                break;
            }
            // It leaves out single bytes that are not printable; here they are printed.
            byte[] piece = next >= 3 && next < 259 ? new byte[] {(byte) (next - 3)} : pieces.get(next);
            boolean strip = token == 1 && piece[0] == ' ';
            printed.write(piece, strip ? 1 : 0, piece.length - (strip ? 1 : 0));
            token = next;
        }
        return printed.toString(StandardCharsets.UTF_8);
    }

    /** Natural log of the probability of each token of a sequence but the first. */
    double[] score(int[] tokens) {
        List<double[]> keys = new ArrayList<>();
        List<double[]> values = new ArrayList<>();
        double[] logProbs = new double[tokens.length - 1];
        for (int p = 0; p < logProbs.length; p++) {
            double[] logits = forward(tokens[p], p, keys, values);
            double sum = 0;
            for (double logit : logits) {
                sum += Math.exp(logit);
            }
            logProbs[p] = logits[tokens[p + 1]] - Math.log(sum);
        }
        return logProbs;
    }

    private static int argmax(double[] x) {
        int best = 0;
        for (int i = 1; i < x.length; i++) {
            best = x[i] > x[best] ? i : best;
        }
        return best;
    }

    private double[] forward(int token, int position, List<double[]> keys, List<double[]> values) {
        int size = dim / heads;
        int width = size * keyValueHeads;
        int at = vocabulary * dim;
        final int attentionNorm = at;
        final int wq = at += layers * dim;
        final int wk = at += layers * dim * dim;
        final int wv = at += layers * dim * width;
        final int wo = at += layers * dim * width;
        final int ffnNorm = at += layers * dim * dim;
        final int w1 = at += layers * dim;
        final int w2 = at += layers * dim * hiddenDim;
        final int w3 = at += layers * dim * hiddenDim;
        final int norm = at += layers * dim * hiddenDim;
        final int cosines = at += dim;
        final int sines = at += positions * size / 2;
        final int head = tied ? 0 : at + positions * size / 2;
        double[] x = new double[dim];
        for (int i = 0; i < dim; i++) {
            x[i] = weights[token * dim + i];
        }
        for (int l = 0; l < layers; l++) {
            double[] n = norm(x, attentionNorm + l * dim);
            double[] q = times(wq + l * dim * dim, dim, n);
            double[] k = times(wk + l * dim * width, width, n);
            for (double[] turned : List.of(q, k)) {
                for (int i = 0; i < turned.length; i += 2) {
                    double cosine = weights[cosines + position * size / 2 + i % size / 2];
                    double sine = weights[sines + position * size / 2 + i % size / 2];
                    double a = turned[i];
                    turned[i] = a * cosine - turned[i + 1] * sine;
                    turned[i + 1] = a * sine + turned[i + 1] * cosine;
                }
            }
            keys.add(k);
            values.add(times(wv + l * dim * width, width, n));
            double[] mixed = new double[dim];
            for (int h = 0; h < heads; h++) {
                int from = h / (heads / keyValueHeads) * size;
                double[] weight = new double[position + 1];
                double sum = 0;
                for (int t = 0; t <= position; t++) {
                    double dot = 0;
                    for (int i = 0; i < size; i++) {
                        dot += q[h * size + i] * keys.get(t * layers + l)[from + i];
                    }
                    weight[t] = Math.exp(dot / Math.sqrt(size));
                    sum += weight[t];
                }
                for (int t = 0; t <= position; t++) {
                    for (int i = 0; i < size; i++) {
                        mixed[h * size + i] += weight[t] / sum * values.get(t * layers + l)[from + i];
                    }
                }
            }
            add(x, times(wo + l * dim * dim, dim, mixed));
            double[] m = norm(x, ffnNorm + l * dim);
            double[] gate = times(w1 + l * dim * hiddenDim, hiddenDim, m);
            double[] up = times(w3 + l * dim * hiddenDim, hiddenDim, m);
            for (int i = 0; i < hiddenDim; i++) {
                gate[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
            }
            add(x, times(w2 + l * dim * hiddenDim, dim, gate));
        }
        return times(head, vocabulary, norm(x, norm));
    }

    private double[] norm(double[] x, int weight) {
        double squares = 0;
        for (double value : x) {
            squares += value * value;
        }
        double scale = 1 / Math.sqrt(squares / x.length + 1e-5);
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = weights[weight + i] * scale * x[i];
        }
        return out;
    }

    private double[] times(int matrix, int rows, double[] x) {
        double[] out = new double[rows];
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < x.length; i++) {
                out[r] += weights[matrix + r * x.length + i] * x[i];
            }
        }
        return out;
    }

    private static void add(double[] x, double[] more) {
        for (int i = 0; i < x.length; i++) {
            x[i] += more[i];
        }
    }
}

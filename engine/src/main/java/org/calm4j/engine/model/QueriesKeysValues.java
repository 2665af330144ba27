package org.calm4j.engine.model;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/** The products before attention. */
sealed interface QueriesKeysValues {
    /** Sets rawQ, rawK and v from norm1. */
    void forward(Pass pass, LayerActivations x);

    /** Sets d.hidden, here the gradient of norm1. */
    void backward(Pass pass, LayerActivations x);

    /** Three products. */
    record Apart(AdaptedLinear q, AdaptedLinear k, AdaptedLinear v) implements QueriesKeysValues {
        @Override
        public void forward(Pass pass, LayerActivations x) {
            q.forward(pass, x.rawQ, x.norm1);
            k.forward(pass, x.rawK, x.norm1);
            v.forward(pass, x.v, x.norm1);
        }

        @Override
        public void backward(Pass pass, LayerActivations x) {
            ActivationGradients d = pass.d();
            q.backward(pass, d.hidden, d.rawQ, x.norm1, false);
            k.backward(pass, d.hidden, d.rawK, x.norm1, true);
            v.backward(pass, d.hidden, d.v, x.norm1, true);
        }
    }

    /** One product, whose columns are distributed. */
    record Fused(Backend backend, AdaptedLinear qkv) implements QueriesKeysValues {
        @Override
        public void forward(Pass pass, LayerActivations x) {
            BatchActivations a = pass.batch();
            qkv.forward(pass, a.fused, x.norm1);
            backend.embeddingForward(x.rawQ, thirds(a.fused), a.fusedQ, false);
            backend.embeddingForward(x.rawK, thirds(a.fused), a.fusedK, false);
            backend.embeddingForward(x.v, thirds(a.fused), a.fusedV, false);
        }

        @Override
        public void backward(Pass pass, LayerActivations x) {
            BatchActivations a = pass.batch();
            ActivationGradients d = pass.d();
            backend.zero(a.fused);
            backend.embeddingBackward(thirds(a.fused), d.rawQ, a.fusedQ);
            backend.embeddingBackward(thirds(a.fused), d.rawK, a.fusedK);
            backend.embeddingBackward(thirds(a.fused), d.v, a.fusedV);
            qkv.backward(pass, d.hidden, a.fused, x.norm1, false);
        }

        /** (T,3·C) as (3·T,C). */
        private static Tensor thirds(Tensor x) {
            return x.asRows(x.rowSize() / 3);
        }
    }
}

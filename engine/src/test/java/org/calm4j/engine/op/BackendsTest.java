package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.api.Test;

final class BackendsTest {
    /** Opens double-precision backends, so that they can be told from the CPU's, and keeps what it was asked for. */
    private static final class Provider implements BackendProvider {
        final List<Integer> opened = new ArrayList<>();
        private final List<String> missing;
        int devices = 1;

        Provider(String... missing) {
            this.missing = List.of(missing);
        }

        @Override
        public String name() {
            return "toy";
        }

        @Override
        public List<String> missing() {
            return missing;
        }

        @Override
        public int devices() {
            return devices;
        }

        @Override
        public Backend open(int ordinal, Precision precision) {
            opened.add(ordinal);
            return new ScalarBackend(DType.F64);
        }
    }

    private static DType type(String device, Provider... providers) {
        try (Backend backend =
                Backends.choose(device, 1, null, 0, List.of(providers)).backend()) {
            return backend.computeType();
        }
    }

    @Test
    void aProviderIsFoundByItsNameAndGivenTheNumber() {
        Provider toy = new Provider();
        assertThat(type("toy", toy)).isEqualTo(DType.F64);
        assertThat(type("toy:3", toy)).isEqualTo(DType.F64);
        assertThat(toy.opened).containsExactly(0, 3);
    }

    @Test
    void severalProcessesOfAMachineTakeADeviceEach() {
        Provider toy = new Provider();
        for (int devices : new int[] {1, 4}) {
            toy.devices = devices;
            for (String device : List.of("toy", "auto", "toy:2")) {
                Backends.choose(device, 1, null, 3, List.of(toy)).backend().close();
            }
        }
        assertThat(toy.opened).containsExactly(0, 0, 2, 3, 3, 2);
    }

    @Test
    void autoTakesWhatLacksNothingAndSaysWhyNot() {
        assertThat(type("auto", new Provider("no toy is plugged in"), new Provider()))
                .isEqualTo(DType.F64);
        assertThat(type("cpu", new Provider())).isEqualTo(DType.F32);
        Backends.Choice choice = Backends.choose("auto", 1, null, 0, List.of(new Provider("no toy is plugged in")));
        choice.backend().close();
        assertThat(choice.backend().computeType()).isEqualTo(DType.F32);
        assertThat(choice.why()).isEqualTo("no toy is plugged in");
    }

    @Test
    void anUnknownDeviceIsWrongUsageThatNamesTheKnownOnes() {
        for (String device : List.of("top", "cpu:1", "auto:0", "toy:", "TOY", "")) {
            assertThatThrownBy(() -> type(device, new Provider()))
                    .as(device)
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("auto, cpu, toy");
        }
    }
}

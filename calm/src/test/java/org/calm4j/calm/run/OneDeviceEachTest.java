package org.calm4j.calm.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.ranks.RanksInThreads;
import org.junit.jupiter.api.Test;

final class OneDeviceEachTest {
    @Test
    void twoRanksOnOneGpuAreNamed() {
        assertThatThrownBy(() -> check("GPU-a", "GPU-b", "GPU-a"))
                .rootCause()
                .isInstanceOf(CalmException.class)
                .hasMessage(
                        "rank 0 on here and rank 2 on here have the same GPU (cuda:0: A GPU, GPU-a); start as many ranks "
                                + "on a machine as it has GPUs, with device cuda, which takes each rank's own");
    }

    @Test
    void gpusOfTheirOwnAndSharedProcessorsAreFine() {
        assertThat(check("GPU-a", "GPU-b", null, null)).containsOnly(true);
    }

    /** @param devices that the ranks have; null is the processors */
    private static List<Boolean> check(String... devices) {
        return RanksInThreads.run(devices.length, (Ranks ranks) -> {
            OneDeviceEach.check(ranks, backend(devices[ranks.rank()]));
            return true;
        });
    }

    private static Backend backend(String id) {
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(),
                new Class<?>[] {Backend.class},
                (_, method, _) -> method.getName().equals("deviceId") ? id : "cuda:0: A GPU, 80 GiB");
    }
}

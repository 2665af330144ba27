package org.calm4j.engine.ranks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LauncherTest {
    @Test
    void variablesTellWhoStartedIt() {
        assertThat(Launcher.of(Map.of("HOME", "/"))).isNull();
        assertThat(of("OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "3", "PMIX_RANK", "3"))
                .isEqualTo("mpirun 3 of 4 libmpi.so.40");
        assertThat(of("PMI_RANK", "1", "PMI_SIZE", "2")).isEqualTo("mpiexec 1 of 2 libmpi.so.12");
        assertThat(of("PMIX_RANK", "1", "SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "2"))
                .isEqualTo("srun 1 of 2 libmpi.so.40");
        assertThat(of("PMI_RANK", "1", "PMI_SIZE", "2", "SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "2"))
                .isEqualTo("srun 1 of 2 libmpi.so.12");
        assertThat(of("SLURM_PROCID", "1", "SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "2"))
                .isEqualTo("srun 1 of 2 libmpi.so.40");
    }

    @Test
    void aBatchScriptIsNotStartedBySrun() {
        assertThat(Launcher.of(Map.of("SLURM_JOB_ID", "7", "SLURM_PROCID", "0", "SLURM_NTASKS", "2")))
                .isNull();
    }

    /** Such as a shell on a node of its own. */
    @Test
    void oneProcessNeedsNoOther() {
        assertThat(Launcher.of(Map.of("SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "1", "SLURM_PROCID", "0")))
                .isNull();
        assertThat(Launcher.of(Map.of("OMPI_COMM_WORLD_SIZE", "1"))).isNull();
    }

    private static String of(String... variables) {
        Map<String, String> environment = new HashMap<>();
        for (int i = 0; i < variables.length; i += 2) {
            environment.put(variables[i], variables[i + 1]);
        }
        Launcher launcher = Launcher.of(environment);
        return launcher.name() + " " + launcher.rank() + " of " + launcher.size() + " "
                + launcher.libraries().getFirst();
    }
}

package org.calm4j.engine.ranks;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Who started this process together with others, as its environment tells.
 *
 * @param name of the program, for messages
 * @param rank as the launcher counts; -1 where it does not say
 * @param size how many it started; 0 where it does not say
 * @param libraries of the MPI that belongs to it, the likeliest first
 */
public record Launcher(String name, int rank, int size, List<String> libraries) {
    private static final String OPEN_MPI = "libmpi.so.40";
    private static final String MPICH = "libmpi.so.12";
    private static final String MPICH_DEBIAN = "libmpich.so.12";
    private static final List<String> STANDARD = List.of("libmpi_abi.so.1", "libmpi_abi.so.0");
    /** All that are known. */
    static final List<String> LIBRARIES = libraries(OPEN_MPI, MPICH, MPICH_DEBIAN);

    /** Null without a launcher, and for a launcher of one process, which needs no other. */
    public static Launcher of(Map<String, String> environment) {
        Launcher launcher = named(environment);
        return launcher == null || launcher.size == 1 ? null : launcher;
    }

    private static Launcher named(Map<String, String> environment) {
        if (environment.containsKey("OMPI_COMM_WORLD_SIZE")) {
            return new Launcher(
                    "mpirun",
                    number(environment, "OMPI_COMM_WORLD_RANK", -1),
                    number(environment, "OMPI_COMM_WORLD_SIZE", 0),
                    libraries(OPEN_MPI, MPICH, MPICH_DEBIAN));
        }
        // A batch script has SLURM_NTASKS and SLURM_PROCID too, though srun started nothing: only the step's own
        // variables tell.
        boolean slurm = environment.containsKey("SLURM_STEP_ID") && environment.containsKey("SLURM_STEP_NUM_TASKS");
        int rank = number(
                environment,
                "PMI_RANK",
                number(environment, "PMIX_RANK", slurm ? number(environment, "SLURM_PROCID", -1) : -1));
        int size = number(environment, "PMI_SIZE", slurm ? number(environment, "SLURM_STEP_NUM_TASKS", 0) : 0);
        if (environment.containsKey("PMI_RANK") || environment.containsKey("PMI_SIZE")) {
            return new Launcher(slurm ? "srun" : "mpiexec", rank, size, libraries(MPICH, MPICH_DEBIAN, OPEN_MPI));
        }
        return slurm || environment.containsKey("PMIX_RANK")
                ? new Launcher(slurm ? "srun" : "mpirun", rank, size, libraries(OPEN_MPI, MPICH, MPICH_DEBIAN))
                : null;
    }

    private static List<String> libraries(String... names) {
        return Stream.concat(List.of(names).stream(), STANDARD.stream()).toList();
    }

    /** A variable that is a number. */
    static int number(Map<String, String> environment, String name, int otherwise) {
        String value = environment.get(name);
        return value != null && value.matches("\\d{1,9}") ? Integer.parseInt(value) : otherwise;
    }
}

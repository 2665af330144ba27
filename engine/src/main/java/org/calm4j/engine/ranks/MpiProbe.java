package org.calm4j.engine.ranks;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.CalmException;

/**
 * What this machine offers for several processes; libraries are loaded and asked, and not begun.
 *
 * @param libraries that were found, the launcher's first
 * @param launcher who started this process with others, and as which; null where nobody did
 * @param advice what would not work, with its remedy
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MpiProbe(List<Library> libraries, String launcher, List<String> advice) {
    /**
     * @param abi whose numbers it has
     * @param version in its own words
     */
    public record Library(String file, String abi, String version) {}

    /** @param environment of this process */
    public static MpiProbe run(Map<String, String> environment) {
        List<String> advice = new ArrayList<>();
        List<Library> libraries = new ArrayList<>();
        Launcher launcher = Launcher.of(environment);
        Set<String> files = new LinkedHashSet<>();
        if (environment.get("CALM_MPI") != null) {
            files.add(environment.get("CALM_MPI"));
        }
        files.addAll(launcher == null ? Launcher.LIBRARIES : launcher.libraries());
        Started.prepare();
        for (String file : files) {
            try {
                Mpi mpi = Mpi.load(List.of(file), "");
                libraries.add(new Library(file, mpi.abi().name(), mpi.version()));
            } catch (CalmException e) {
                // It is not there.
            }
        }
        String given = environment.get("CALM_MPI");
        if (given != null && libraries.stream().noneMatch(each -> each.file().equals(given))) {
            advice.add("CALM_MPI is " + given + ", which is not an MPI library");
        }
        int tasks = Launcher.number(environment, "SLURM_NTASKS", 1);
        if (launcher == null && tasks > 1 && !environment.containsKey("SLURM_STEP_ID")) {
            advice.add("this Slurm job has " + tasks
                    + " tasks, and srun did not start this: one process does all the work; "
                    + "put srun before it");
        }
        String started = null;
        if (launcher != null) {
            Ranks ranks = Ranks.here();
            int processors = Runtime.getRuntime().availableProcessors();
            started = launcher.name() + ", " + ranks.size() + " processes, this is " + ranks.name();
            if (processors == 1 && Native.machineProcessors() > ranks.localSize()) {
                advice.add(
                        launcher.name() + " binds each process to one of this machine's " + Native.machineProcessors()
                                + " processors: tell it how many cores a process gets, or to bind none; docs/cluster.md says how");
            }
        }
        return new MpiProbe(libraries, started, advice);
    }
}

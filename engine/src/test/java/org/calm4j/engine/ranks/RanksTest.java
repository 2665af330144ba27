package org.calm4j.engine.ranks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Processes of their own, under every MPI of this machine. */
@Tag("slow")
class RanksTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void threeRanksAddTellAndPass(MpiLaunch mpi) throws Exception {
        MpiLaunch.Result result = run(mpi, 3, Map.of(), "all");
        assertThat(result.err()).doesNotContain("calm");
        assertThat(result).isEqualTo(new MpiLaunch.Result(0, "all of 3" + System.lineSeparator(), result.err()));
    }

    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void ranksThatDifferAreNamed(MpiLaunch mpi) throws Exception {
        MpiLaunch.Result result = run(mpi, 2, Map.of(), "agree");
        assertThat(result.code()).isEqualTo(1);
        assertThat(result.err().lines().filter(line -> line.startsWith("calm")))
                .singleElement()
                .asString()
                .contains("differ in batch_size", "rank 0 has 8", "rank 1 on", "has 16");
    }

    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void whoWaitsTooLongEndsAll(MpiLaunch mpi) throws Exception {
        MpiLaunch.Result result = run(mpi, 2, Map.of("CALM_RANK_TIMEOUT", "1"), "hang");
        assertThat(result.code()).isEqualTo(1);
        assertThat(result.err()).contains("rank 0 on", "has waited 1 s", "CALM_RANK_TIMEOUT");
    }

    /** Every rank would believe to be alone, and write what all the others write. */
    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void anotherMpiThanTheLaunchersIsRefused(MpiLaunch mpi) throws Exception {
        if (MpiLaunch.all().count() < 2) {
            return;
        }
        String other = mpi == MpiLaunch.OPEN_MPI ? "libmpich.so.12" : "libmpi.so.40";
        MpiLaunch.Result result = run(mpi, 2, Map.of("CALM_MPI", other), "all");
        assertThat(result.code()).isEqualTo(1);
        assertThat(result.err()).contains("started 2 processes", other + ") sees 1", "CALM_MPI");
        assertThat(result.out()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void aLibraryThatIsNotThereIsNamed(MpiLaunch mpi) throws Exception {
        MpiLaunch.Result result = run(mpi, 2, Map.of("CALM_MPI", "/nonexistent.so"), "all");
        assertThat(result.code()).isEqualTo(1);
        assertThat(result.err()).contains("no MPI library was found (/nonexistent.so)");
        MpiLaunch.Result foreign = run(mpi, 2, Map.of("CALM_MPI", "libz.so.1"), "all");
        assertThat(foreign.code()).isEqualTo(1);
        assertThat(foreign.err()).contains("libz.so.1 is not an MPI library");
    }

    private MpiLaunch.Result run(MpiLaunch mpi, int ranks, Map<String, String> environment, String what)
            throws Exception {
        return MpiLaunch.end(
                mpi.java(ranks, folder, environment, List.of("-XX:TieredStopAtLevel=1"), RanksChild.class, what),
                folder);
    }
}

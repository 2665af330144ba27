package org.calm4j.engine.ranks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
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

    /** Of which no library is packaged yet: one that translates it for the launcher's own, and ends what is not in the standard. */
    @ParameterizedTest
    @MethodSource("org.calm4j.engine.ranks.MpiLaunch#all")
    void theStandardsAbiServesToo(MpiLaunch mpi) throws Exception {
        Path library = folder.resolve("libmpi_abi.so.0");
        Path source = Path.of(RanksTest.class.getResource("/mpi/abi.c").toURI());
        boolean compiled;
        try {
            compiled = new ProcessBuilder("gcc", "-shared", "-fPIC", "-w", "-o", library.toString(), source.toString())
                            .inheritIO()
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            assertThat(System.getenv("CALM4J_TESTS_NEED_MPI"))
                    .as("gcc is missing")
                    .isNull();
            Assumptions.abort("skipped: no gcc on the PATH");
            return;
        }
        assertThat(compiled).isTrue();
        Map<String, String> environment = Map.of(
                "CALM_MPI",
                library.toString(),
                "UNDERLYING_MPI",
                mpi == MpiLaunch.OPEN_MPI ? "libmpi.so.40" : "libmpich.so.12");
        MpiLaunch.Result result = run(mpi, 3, environment, "all");
        assertThat(result).isEqualTo(new MpiLaunch.Result(0, "all of 3" + System.lineSeparator(), result.err()));
    }

    /** UCX would take the signal by which Java's compiled code finds null pointers, and report a crash at the first. */
    @Test
    void aNullPointerIsAnExceptionUnderUcxToo() throws Exception {
        Assumptions.assumeTrue(MpiLaunch.all().anyMatch(MpiLaunch.OPEN_MPI::equals), "skipped: no Open MPI");
        Map<String, String> environment = Map.of(
                "OMPI_MCA_pml", "ucx",
                "OMPI_MCA_opal_common_ucx_tls", "any",
                "OMPI_MCA_opal_common_ucx_devices", "any",
                "UCX_TLS", "posix,sysv,cma,self");
        MpiLaunch.Result result = run(MpiLaunch.OPEN_MPI, 2, environment, "nulls");
        Assumptions.assumeFalse(
                System.getenv("CALM4J_TESTS_NEED_MPI") == null && result.err().contains("PML ucx cannot be selected"),
                "skipped: this Open MPI has no UCX");
        assertThat(result).isEqualTo(new MpiLaunch.Result(0, "nulls" + System.lineSeparator(), result.err()));
        assertThat(result.err()).doesNotContain("Caught signal");
    }

    private MpiLaunch.Result run(MpiLaunch mpi, int ranks, Map<String, String> environment, String what)
            throws Exception {
        return MpiLaunch.end(
                mpi.java(ranks, folder, environment, List.of("-XX:TieredStopAtLevel=1"), RanksChild.class, what),
                folder);
    }
}

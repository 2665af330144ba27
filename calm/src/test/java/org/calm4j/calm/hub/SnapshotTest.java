package org.calm4j.calm.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SnapshotTest {
    private static final Globs ALL = new Globs(List.of(), List.of());

    @TempDir
    private Path folder;

    private final List<String> said = new ArrayList<>();
    private Duration patience = Duration.ofMinutes(1);
    private FakeHub hub;
    private long at;

    @BeforeEach
    void hub() throws IOException {
        hub = new FakeHub();
        hub.files.put("config.json", "{\"a\":1}".getBytes(StandardCharsets.UTF_8));
        hub.files.put("onnx/deep/model file.txt", "x".getBytes(StandardCharsets.UTF_8));
        hub.files.put("empty", new byte[0]);
        hub.files.put("model-00001-of-00002.safetensors", random(300_000, 1));
        hub.files.put("model-00002-of-00002.safetensors", random(200_000, 2));
    }

    @AfterEach
    void close() {
        hub.close();
    }

    private static byte[] random(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private HubSettings settings(String token) {
        return new HubSettings(
                URI.create(hub.endpoint()),
                token,
                folder.resolve("cache"),
                false,
                ProxySelector.getDefault(),
                patience);
    }

    private Snapshot.Result download(String token, Globs globs, Path localDir, RepoId.Type type) {
        return new Snapshot(new RepoId(type, "org/name", "main"), globs, localDir, 4, Duration.ofMillis(1))
                .download(settings(token), new Heard());
    }

    private Snapshot.Result download() {
        return download(null, ALL, null, RepoId.Type.MODEL);
    }

    private final class Heard implements Snapshot.Listener {
        @Override
        public void start(int files, long bytes) {
            said.add(files + " files, " + bytes + " bytes");
        }

        @Override
        public void at(long bytes) {
            at = bytes;
        }

        @Override
        public void say(String line) {
            said.add(line);
        }
    }

    private void assertWhole(Path snapshot) throws IOException {
        for (Map.Entry<String, byte[]> file : hub.files.entrySet()) {
            assertThat(Files.readAllBytes(snapshot.resolve(file.getKey()))).isEqualTo(file.getValue());
        }
        try (Stream<Path> all = Files.walk(folder)) {
            assertThat(all.filter(file -> file.toString().endsWith(".incomplete")))
                    .isEmpty();
        }
    }

    @Test
    void theCacheIsThatOfHuggingfaceHub() throws IOException {
        Snapshot.Result result = download();
        Path repo = folder.resolve("cache/models--org--name");
        assertThat(result.folder()).isEqualTo(repo.resolve("snapshots").resolve(FakeHub.COMMIT));
        assertThat(repo.resolve("refs/main")).hasContent(FakeHub.COMMIT);
        assertWhole(result.folder());
        byte[] shard = hub.files.get("model-00001-of-00002.safetensors");
        assertThat(Files.readSymbolicLink(result.folder().resolve("model-00001-of-00002.safetensors")))
                .isEqualTo(Path.of("../../blobs", FakeHub.digest("SHA-256", shard, "")));
        assertThat(Files.readSymbolicLink(result.folder().resolve("onnx/deep/model file.txt"))
                        .toString())
                .startsWith("../../../../blobs/");
        assertThat(at).isEqualTo(500_008).isEqualTo(result.bytes());
        assertThat(said).containsExactly("5 files, 500008 bytes");

        hub.requests.clear();
        assertThat(download().bytes()).isZero();
        assertThat(hub.requests).noneMatch(request -> request.startsWith("GET /org") || request.contains("storage"));
    }

    @Test
    void dataSetsAndPlainFolders() throws IOException {
        Path plain = folder.resolve("plain");
        assertThat(download(null, ALL, plain, RepoId.Type.DATASET).folder()).isEqualTo(plain);
        assertWhole(plain);
        assertThat(hub.requests)
                .contains(
                        "GET /api/datasets/org/name/revision/main",
                        "GET /datasets/org/name/resolve/" + FakeHub.COMMIT + "/config.json");
        assertThat(folder.resolve("cache")).doesNotExist();
        // What came before is replaced by what comes now; what somebody changed or put there is not.
        hub.files.put("config.json", "{\"a\":3}".getBytes(java.nio.charset.StandardCharsets.UTF_8));
        assertThat(download(null, ALL, plain, RepoId.Type.DATASET).bytes()).isEqualTo(7);
        assertWhole(plain);
        Files.writeString(plain.resolve("config.json"), "{\"a\":2}");
        assertThatThrownBy(() -> download(null, ALL, plain, RepoId.Type.DATASET))
                .hasMessageContaining("plain/config.json: is there");
        assertThat(plain.resolve("config.json")).hasContent("{\"a\":2}");
        Path other = Files.createDirectory(folder.resolve("other"));
        Files.writeString(other.resolve("config.json"), "mine");
        assertThatThrownBy(() -> download(null, ALL, other, RepoId.Type.DATASET))
                .hasMessageContaining("other/config.json: is there");
        assertThat(other.resolve("config.json")).hasContent("mine");
        // The same content is in nobody's way.
        Files.write(other.resolve("config.json"), hub.files.get("config.json"));
        download(null, ALL, other, RepoId.Type.DATASET);
        assertWhole(other);
    }

    @ParameterizedTest
    @CsvSource({
        "*.json,,config.json",
        "*,*.safetensors,config.json;empty;onnx/deep/model file.txt",
        "onnx/,,onnx/deep/model file.txt",
        "model-0000[2-9]*,,model-00002-of-00002.safetensors",
        "config.jso?,,config.json"
    })
    void onlyWhatIsWanted(String include, String exclude, String expected) throws IOException {
        Globs globs = new Globs(List.of(include), exclude == null ? List.of() : List.of(exclude));
        Path snapshot = download(null, globs, null, RepoId.Type.MODEL).folder();
        try (Stream<Path> files = Files.walk(snapshot)) {
            assertThat(files.filter(Files::isRegularFile)
                            .map(file -> snapshot.relativize(file).toString())
                            .sorted()
                            .toList())
                    .containsExactly(expected.split(";"));
        }
    }

    @Test
    void aCutConnectionGoesOnWhereItWas() throws IOException {
        hub.cutAfter = 45_000;
        Snapshot.Result result = download();
        assertWhole(result.folder());
        assertThat(hub.requests).anyMatch(request -> request.matches("GET /storage/model-00001.* bytes=\\d+-"));
        assertThat(result.bytes()).isEqualTo(500_008);
    }

    /** A connection that stays open and silent is given up, and another one goes on where it was. */
    @Test
    @Timeout(120)
    void aSilentConnectionIsGivenUp() throws IOException {
        patience = Duration.ofMillis(700);
        hub.stalls = 2;
        Snapshot.Result result = download();
        assertWhole(result.folder());
        assertThat(hub.requests).anyMatch(request -> request.matches("GET /storage/model-00001.* bytes=50000-"));
        assertThat(result.bytes()).isEqualTo(500_008);
    }

    /** The hub's name is known to the proxy alone. */
    @Test
    void throughAProxy() throws IOException {
        Map<String, String> environment = new HashMap<>(Map.of(
                "HF_ENDPOINT",
                "http://hub.invalid",
                "HF_HUB_CACHE",
                folder.resolve("cache").toString(),
                "http_proxy",
                hub.endpoint().replace("http://", "http://me:s%40cret@")));
        Snapshot snapshot =
                new Snapshot(new RepoId(RepoId.Type.MODEL, "org/name", "main"), ALL, null, 4, Duration.ofMillis(1));
        environment.put("NO_PROXY", "other.example, .invalid");
        assertThatThrownBy(() -> snapshot.download(HubSettings.of(environment), new Heard()))
                .hasMessageContaining("hub.invalid");
        environment.put("NO_PROXY", "other.example,hub.invalid:8080");
        hub.proxyAuthorization =
                "Basic " + Base64.getEncoder().encodeToString("me:s@cret".getBytes(StandardCharsets.UTF_8));
        assertWhole(snapshot.download(HubSettings.of(environment), new Heard()).folder());
        environment.put("http_proxy", "socks5://x");
        assertThatThrownBy(() -> HubSettings.of(environment))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("HTTP_PROXY");
    }

    @ParameterizedTest
    @CsvSource({
        "https://hub.example/a,one",
        "http://hub.example/a,two",
        "https://x.internal/a,",
        "https://internal/a,",
        "https://xinternal/a,one",
        "https://127.0.0.1:8443/a,",
        "https://127.0.0.1/a,one"
    })
    void proxiesByScheme(String uri, String proxy) {
        ProxySelector proxies = Proxies.of(
                Map.of("HTTPS_PROXY", "http://one:3128", "ALL_PROXY", "two", "no_proxy", ".internal,127.0.0.1:8443"));
        assertThat(proxies.select(URI.create(uri)).getFirst().toString())
                .contains(proxy == null ? "DIRECT" : "HTTP @ " + proxy);
        assertThat(Proxies.of(Map.of())).isSameAs(ProxySelector.getDefault());
    }

    @Test
    void whatAnEarlierRunLeftIsGoneOnWith() throws IOException {
        byte[] shard = hub.files.get("model-00001-of-00002.safetensors");
        Path incomplete = folder.resolve("cache/models--org--name/blobs")
                .resolve(FakeHub.digest("SHA-256", shard, "") + ".incomplete");
        Files.createDirectories(incomplete.getParent());
        Files.write(incomplete, Arrays.copyOf(shard, 123_456));
        assertWhole(download().folder());
        assertThat(hub.requests).contains("GET /storage/model-00001-of-00002.safetensors bytes=123456-");
    }

    @Test
    void aDamagedRestIsBroughtAgain() throws IOException {
        byte[] shard = hub.files.get("model-00001-of-00002.safetensors");
        Path incomplete = folder.resolve("cache/models--org--name/blobs")
                .resolve(FakeHub.digest("SHA-256", shard, "") + ".incomplete");
        Files.createDirectories(incomplete.getParent());
        for (int length : new int[] {1000, shard.length, shard.length + 5}) {
            Files.write(incomplete, new byte[length]);
            assertWhole(download().folder());
            Files.delete(folder.resolve("cache/models--org--name/blobs").resolve(FakeHub.digest("SHA-256", shard, "")));
        }
    }

    @Test
    void aHubWithoutRangesAndWithHiccups() throws IOException {
        hub.ignoresRanges = true;
        hub.failures = 4;
        byte[] shard = hub.files.get("model-00001-of-00002.safetensors");
        Path incomplete = folder.resolve("cache/models--org--name/blobs")
                .resolve(FakeHub.digest("SHA-256", shard, "") + ".incomplete");
        Files.createDirectories(incomplete.getParent());
        Files.write(incomplete, Arrays.copyOf(shard, 10));
        assertWhole(download().folder());
    }

    @Test
    void aWrongDigestIsNeverKept() throws IOException {
        hub.damages = true;
        hub.files.remove("empty");
        assertThatThrownBy(this::download)
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("digest")
                .hasMessageContaining("instead of");
        try (Stream<Path> all = Files.walk(folder)) {
            assertThat(all.filter(file -> file.getParent().endsWith("blobs")
                            && !file.toString().endsWith(".incomplete")))
                    .isEmpty();
        }
        assertThat(folder.resolve("cache/models--org--name/refs")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({
        "401,,HF_TOKEN,BAD_INPUT",
        "403,GatedRepo,ask for it,BAD_INPUT",
        "404,RevisionNotFound,no such revision,BAD_INPUT",
        "404,,repository,BAD_INPUT",
        "500,,answers 500,FAILED",
        "418,,answers 418,FAILED"
    })
    void whatTheHubRefusesIsSaid(int status, String code, String message, CalmException.Kind kind) {
        hub.status = status;
        hub.errorCode = code;
        assertThatThrownBy(this::download).isInstanceOfSatisfying(CalmException.class, e -> {
            assertThat(e.kind()).isEqualTo(kind);
            assertThat(e.getMessage()).contains(message).contains("org/name").doesNotContain("\n");
        });
    }

    @Test
    void theTokenGoesToTheHubAlone() throws IOException {
        hub.token = "hf_secret";
        assertThatThrownBy(this::download).hasMessageContaining("401");
        hub.tokens.clear();
        assertWhole(download("hf_secret", ALL, null, RepoId.Type.MODEL).folder());
        assertThat(hub.tokens)
                .contains("127.0.0.1 Bearer hf_secret", "localhost null")
                .doesNotContain("localhost Bearer hf_secret");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"../evil", "/etc/evil", "a/../../evil", "a//b", "..", "a\\\\..\\\\b", ".", "a/./b", "", "a\\nb"})
    void namesThatLeaveTheFolderAreRefused(String name) throws IOException {
        hub.files.put(name, new byte[3]);
        for (Path local : new Path[] {null, folder.resolve("plain")}) {
            assertThatThrownBy(() -> download(null, ALL, local, RepoId.Type.MODEL))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("outside");
        }
        try (Stream<Path> all = Files.walk(folder)) {
            assertThat(all.filter(Files::isRegularFile)).isEmpty();
        }
    }

    @Test
    void offlineTheCacheIsTaken() throws IOException {
        HubSettings online = settings(null);
        HubSettings offline =
                new HubSettings(online.endpoint(), null, online.cache(), true, online.proxies(), patience);
        Snapshot snapshot =
                new Snapshot(new RepoId(RepoId.Type.MODEL, "org/name", "main"), ALL, null, 2, Duration.ofMillis(1));
        assertThatThrownBy(() -> snapshot.download(offline, new Heard())).hasMessageContaining("HF_HUB_OFFLINE");
        Path folder = download().folder();
        hub.requests.clear();
        assertThat(snapshot.download(offline, new Heard()).folder()).isEqualTo(folder);
        assertThat(hub.requests).isEmpty();
        hub.close();
        assertThat(snapshot.download(online, new Heard()).folder()).isEqualTo(folder);
        assertThat(said).anyMatch(line -> line.contains("cannot reach"));
        Snapshot other =
                new Snapshot(new RepoId(RepoId.Type.MODEL, "org/other", "main"), ALL, null, 2, Duration.ofMillis(1));
        assertThatThrownBy(() -> other.download(online, new Heard())).hasMessageContaining("are you online?");
    }

    private Snapshot.Result offline(Globs globs) {
        HubSettings online = settings(null);
        return new Snapshot(new RepoId(RepoId.Type.MODEL, "org/name", "main"), globs, null, 2, Duration.ofMillis(1))
                .download(
                        new HubSettings(online.endpoint(), null, online.cache(), true, online.proxies(), patience),
                        new Heard());
    }

    private void assertInPart(Globs globs, String missing) {
        assertThatThrownBy(() -> offline(globs))
                .isInstanceOfSatisfying(
                        CalmException.class, e -> assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT))
                .hasMessageContaining("only a part")
                .hasMessageContaining(missing);
    }

    private static Globs only(String... globs) {
        return new Globs(List.of(globs), List.of());
    }

    /** Other files are wanted than were fetched, a link leads nowhere, or the download was stopped in the large file. */
    @Test
    void offlineAHalfSnapshotIsNone() throws IOException {
        download(null, only("*.json"), null, RepoId.Type.MODEL);
        assertThat(offline(only("*.json")).files()).isEqualTo(1);
        assertThat(offline(only("config.json")).files()).isEqualTo(1);
        assertInPart(ALL, "model-00001-of-00002.safetensors");
        assertInPart(only("*.safetensors"), "model-00002-of-00002.safetensors");
        assertInPart(only("nothing*"), "nothing*");
        Path snapshot = download().folder();
        assertThat(offline(ALL).folder()).isEqualTo(snapshot);
        byte[] shard = hub.files.get("model-00002-of-00002.safetensors");
        Files.delete(folder.resolve("cache/models--org--name/blobs").resolve(FakeHub.digest("SHA-256", shard, "")));
        assertInPart(ALL, "model-00002-of-00002.safetensors");
        assertThat(offline(new Globs(List.of(), List.of("*2.safetensors"))).folder())
                .isEqualTo(snapshot);
        // Without the hub the same holds.
        hub.close();
        assertThatThrownBy(this::download).hasMessageContaining("only a part").hasMessageContaining("cannot reach");
    }

    @Test
    void aDownloadThatWasStoppedIsNone() throws IOException {
        hub.damages = true;
        assertThatThrownBy(this::download).isInstanceOf(CalmException.class);
        Path repo = folder.resolve("cache/models--org--name");
        Files.createDirectories(repo.resolve("refs"));
        Files.writeString(repo.resolve("refs/main"), FakeHub.COMMIT);
        assertInPart(ALL, "model-0000");
    }

    /** As huggingface_hub leaves it: it keeps no list of what a repository has. */
    @Test
    void whatAnotherProgramBegan() throws IOException {
        Path repo = folder.resolve("cache/models--org--name");
        Path snapshot = Files.createDirectories(repo.resolve("snapshots").resolve(FakeHub.COMMIT));
        Path blobs = Files.createDirectories(repo.resolve("blobs"));
        Files.createDirectories(repo.resolve("refs"));
        Files.writeString(repo.resolve("refs/main"), FakeHub.COMMIT);
        assertInPart(ALL, "model.safetensors");
        Files.writeString(snapshot.resolve("config.json"), "{}");
        assertInPart(ALL, "model.safetensors");
        assertThat(offline(only("*.json")).files()).isEqualTo(1);
        assertThat(offline(new Globs(List.of(), List.of("*.safetensors"))).folder())
                .isEqualTo(snapshot);
        assertInPart(only("*.json", "*.safetensors"), "*.safetensors");
        Files.writeString(
                snapshot.resolve("model.safetensors.index.json"),
                "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\",\"b\":\"model-00002-of-00002.safetensors\"}}");
        Files.writeString(blobs.resolve("one"), "1");
        Files.createSymbolicLink(snapshot.resolve("model-00001-of-00002.safetensors"), Path.of("../../blobs/one"));
        Files.createSymbolicLink(snapshot.resolve("model-00002-of-00002.safetensors"), Path.of("../../blobs/two"));
        assertInPart(ALL, "model-00002-of-00002.safetensors");
        Files.delete(snapshot.resolve("model.safetensors.index.json"));
        assertInPart(ALL, "model-00002-of-00002.safetensors");
        Files.writeString(blobs.resolve("two"), "2");
        said.clear();
        assertThat(offline(ALL).files()).isEqualTo(3);
        assertThat(said).singleElement().asString().contains("another program").contains("3 that are there");
        for (String part : List.of("three.incomplete", "three.1a2b3c4d.incomplete")) {
            Files.writeString(blobs.resolve(part), "3");
            assertInPart(ALL, "a file is incomplete");
            Files.delete(blobs.resolve(part));
        }
        Files.writeString(blobs.resolve("two.incomplete"), "left over");
        assertThat(offline(ALL).folder()).isEqualTo(snapshot);
    }

    /** As os.path.expanduser and expandvars. */
    @ParameterizedTest
    @CsvSource({
        "~,/home/me",
        "~/x,/home/me/x",
        "~root/x,/root/x",
        "~nobody-is-called-so/x,~nobody-is-called-so/x",
        "/a/~/b,/a/~/b",
        "$HOME/x,/home/me/x",
        "${HOME}/x$,/home/me/x$",
        "$NOTHING/x,$NOTHING/x",
        "~/$A/${A},/home/me/b/b",
        "x,x"
    })
    void homesAndVariables(String written, String path) {
        Map<String, String> environment =
                Map.of("HOME", "/home/me", "A", "b", "HF_HUB_CACHE", written, "HF_TOKEN_PATH", "/none");
        assertThat(HubSettings.of(environment).cache()).isEqualTo(Path.of(path));
        Map<String, String> home = Map.of("HOME", "/home/me", "A", "b", "HF_HOME", written, "HF_TOKEN_PATH", "/none");
        assertThat(HubSettings.of(home).cache()).isEqualTo(Path.of(path).resolve("hub"));
    }

    @Test
    void settingsAreThoseOfHuggingfaceHub() throws IOException {
        HubSettings settings = HubSettings.of(
                Map.of("HF_HOME", folder.toString(), "HF_ENDPOINT", "https://mirror.example/", "HF_TOKEN", " t "));
        assertThat(settings.cache()).isEqualTo(folder.resolve("hub"));
        assertThat(settings.endpoint()).hasToString("https://mirror.example");
        assertThat(settings.token()).isEqualTo("t");
        Files.writeString(folder.resolve("token"), "from-login\n");
        assertThat(HubSettings.of(Map.of("HF_HOME", folder.toString())).token()).isEqualTo("from-login");
        assertThat(HubSettings.of(Map.of("HF_HUB_CACHE", "/c", "HF_HOME", "/h")).cache())
                .isEqualTo(Path.of("/c"));
        assertThatThrownBy(() -> HubSettings.of(Map.of("HF_ENDPOINT", "ftp://x")))
                .isInstanceOf(CalmException.class);
        assertThatThrownBy(() -> new RepoId(RepoId.Type.MODEL, "../x", "main")).isInstanceOf(CalmException.class);
        assertThatThrownBy(() -> new RepoId(RepoId.Type.MODEL, "a/b", "../../x"))
                .isInstanceOf(CalmException.class);
    }
}

package org.calm4j.calm.hub;

import java.util.Locale;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;

/**
 * What is downloaded: a repository of a hub, at a revision.
 *
 * @param id {@code ORG/NAME}, or {@code NAME} alone as old ones have it
 * @param revision a branch, a tag or a commit
 */
public record RepoId(Type type, String id, String revision) {
    private static final Pattern ID = Pattern.compile("([\\w-][\\w.-]{0,95}/)?[\\w-][\\w.-]{0,95}");
    private static final Pattern REVISION = Pattern.compile("[\\w-][\\w./-]{0,254}");

    /** Kinds of repositories. */
    public enum Type {
        MODEL,
        DATASET;

        /** As the API and the cache name them. */
        String plural() {
            return name().toLowerCase(Locale.ROOT) + "s";
        }
    }

    /** @throws CalmException wrong usage: not a valid id or revision */
    public RepoId {
        if (!ID.matcher(id).matches() || id.contains("..")) {
            throw CalmException.usage("'" + id + "' is not a repository; expected ORG/NAME");
        }
        if (!REVISION.matcher(revision).matches()
                || revision.contains("..")
                || revision.contains("//")
                || revision.endsWith("/")) {
            throw CalmException.usage("'" + revision + "' is not a revision; expected a branch, a tag or a commit");
        }
    }

    /** Below the endpoint: what the revision is and which files it has. */
    String apiPath() {
        return "/api/" + type.plural() + "/" + id + "/revision/" + Urls.segment(revision);
    }

    /** Below the endpoint: a file's content at a commit. */
    String resolvePath(String commit, String file) {
        return (type == Type.DATASET ? "/datasets/" : "/") + id + "/resolve/" + Urls.segment(commit) + "/"
                + Urls.path(file);
    }

    /** The folder in the cache. */
    String folder() {
        return type.plural() + "--" + id.replace("/", "--");
    }

    @Override
    public String toString() {
        return id + "@" + revision;
    }
}

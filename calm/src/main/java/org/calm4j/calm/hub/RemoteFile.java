package org.calm4j.calm.hub;

import java.net.URI;

/**
 * A file as the hub describes it.
 *
 * @param name below the repository, with slashes
 * @param etag the SHA-256 of a large file (64 hexadecimal digits), the git blob's SHA-1 of a small one (40)
 * @param size in bytes; -1 where the hub does not say
 * @param uri where to ask for it
 */
record RemoteFile(String name, String etag, long size, URI uri) {}

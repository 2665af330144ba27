package org.calm4j.engine.ranks;

/** What the backend of a device is too, where devices have links of their own, past the host's memory. */
public interface DeviceLinks {
    /**
     * @param wire for tensors of the device, as long as the backend is open; null where the ranks cannot use the links
     * @param description by what tensors pass, or why not by the links and what to do, in one line
     */
    record Link(Wire wire, String description) {}

    /**
     * The device's links to those of the other ranks. All ranks call this; the first time they wait for each other.
     *
     * @throws org.calm4j.engine.CalmException failed: the libraries of the ranks do not fit, or a rank did not come within the limit
     */
    Link link(Ranks ranks);
}

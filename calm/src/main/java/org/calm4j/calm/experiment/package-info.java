/**
 * An experiment is a list of stages, with the same list for every arm over other options; the ledger records what is
 * done.
 */
package org.calm4j.calm.experiment;

/** The report: one HTML page without outside files, and the data that it is made from. */
package org.calm4j.calm.report;

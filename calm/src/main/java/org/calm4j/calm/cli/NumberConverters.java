package org.calm4j.calm.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Numbers within their range; others are wrong usage, and the message states the range. */
final class NumberConverters {
    private NumberConverters() {}

    /** Whole, 1 or more. */
    static final class Positive implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            return whole(value, 1);
        }
    }

    /** Whole, 0 or more. */
    static final class NotNegative implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            return whole(value, 0);
        }
    }

    /** Above 0. */
    static final class AboveZero implements ITypeConverter<Double> {
        @Override
        public Double convert(String value) {
            double number = number(value);
            return checked(number > 0, value, number, "must be above 0");
        }
    }

    /** Whole; its range is checked where its meaning is known. */
    static final class Whole implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            try {
                return Integer.valueOf(value.strip());
            } catch (NumberFormatException e) {
                throw new TypeConversionException("'" + value + "' is not a whole number");
            }
        }
    }

    /** Finite; its range is checked where its meaning is known. */
    static final class Finite implements ITypeConverter<Double> {
        @Override
        public Double convert(String value) {
            double number = number(value);
            return checked(true, value, number, "is not a number");
        }
    }

    private static int whole(String value, int least) {
        try {
            int number = Integer.parseInt(value.strip());
            if (number >= least) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Reported below.
        }
        throw new TypeConversionException("'" + value + "' must be a whole number, " + least + " or more");
    }

    private static double number(String value) {
        try {
            return Double.parseDouble(value.strip());
        } catch (NumberFormatException e) {
            return Double.NaN;
        }
    }

    private static double checked(boolean holds, String value, double number, String rule) {
        if (!holds || !Double.isFinite(number)) {
            throw new TypeConversionException("'" + value + "' " + rule);
        }
        return number;
    }
}

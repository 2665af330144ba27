package org.calm4j.calm.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Numbers within their range: what lies outside is wrong usage, said with the range. */
final class Numbers {
    private Numbers() {}

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

    /** 0 or more. */
    static final class ZeroOrMore implements ITypeConverter<Double> {
        @Override
        public Double convert(String value) {
            double number = number(value);
            return checked(number >= 0, value, number, "must be 0 or more");
        }
    }

    /** From 0 to 1. */
    static final class Share implements ITypeConverter<Double> {
        @Override
        public Double convert(String value) {
            double number = number(value);
            return checked(number >= 0 && number <= 1, value, number, "must be from 0 to 1");
        }
    }

    /** From 0 up to, not including, 1. */
    static final class BelowOne implements ITypeConverter<Double> {
        @Override
        public Double convert(String value) {
            double number = number(value);
            return checked(number >= 0 && number < 1, value, number, "must be 0 or more and below 1");
        }
    }

    /** Above 0, up to 1. */
    static final class PositiveShare implements ITypeConverter<Double> {
        @Override
        public Double convert(String value) {
            double number = number(value);
            return checked(number > 0 && number <= 1, value, number, "must be above 0 and at most 1");
        }
    }

    private static int whole(String value, int least) {
        try {
            int number = Integer.parseInt(value.strip());
            if (number >= least) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Told below.
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

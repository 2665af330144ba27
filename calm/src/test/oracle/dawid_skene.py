"""The estimates of Dawid and Skene (1979) on their own data, computed in a second way: products of probabilities in numpy, no logarithms.

Writes ../resources/org/calm4j/calm/metric/dawid-skene.json. Data: table 1 of the paper, 45 patients, 5 anaesthetists, the first of whom
judged three times, classes 1 to 4. Needs numpy.
"""
import json
import pathlib

import numpy

# One line a patient: the first observer's three judgements, then the other four observers'.
TABLE = """
111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3|222 2 2 2 3|232 2 2 2 3
444 4 4 4 4|222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1|111 1 1 1 1|111 1 1 1 1|222 2 2 2 1|222 1 3 2 2
222 2 2 2 2|222 2 2 2 1|222 3 2 2 2|221 2 2 2 2|111 1 1 1 1|111 1 1 1 1|232 2 2 2 2|111 1 1 1 1|111 1 1 1 1|112 1 1 2 1
111 1 1 1 1|333 3 2 3 3|111 1 1 1 1|222 2 2 2 2|222 3 2 3 2|433 4 3 4 3|221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1
111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1|222 2 2 2 2
"""


def counts():
    patients = [patient.split() for patient in TABLE.replace("\n", "|").split("|") if patient]
    table = numpy.zeros((len(patients), 5, 4), dtype=int)
    for i, observers in enumerate(patients):
        for k, judgements in enumerate(observers):
            for judgement in judgements:
                table[i, k, int(judgement) - 1] += 1
    return table


def estimate(table, iterations):
    """Equations 2.3 to 2.5, from the start of equation 3.1."""
    truth = table.sum(axis=1) / table.sum(axis=(1, 2))[:, None]
    for _ in range(iterations):
        prior = truth.mean(axis=0)
        rates = numpy.einsum("ij,ikl->kjl", truth, table)
        rates = rates / rates.sum(axis=2, keepdims=True)
        joint = prior * numpy.prod(rates[None] ** table[:, :, None, :], axis=(1, 3))
        likelihood = joint.sum(axis=1)
        truth = joint / likelihood[:, None]
    return truth, prior, rates, numpy.log(likelihood).sum()


def main():
    table = counts()
    assert table.shape == (45, 5, 4) and table.sum() == 45 * 7
    posterior, prior, rates, log_likelihood = estimate(table, 2000)
    target = pathlib.Path(__file__).parent.parent / "resources/org/calm4j/calm/metric/dawid-skene.json"
    target.write_text(json.dumps({"counts": table.tolist(), "prior": prior.tolist(), "error_rates": rates.tolist(),
                                  "posterior": posterior.tolist(), "log_likelihood": log_likelihood}) + "\n")
    print(prior, log_likelihood)


main()

"""The event file of TensorBoardLogTest, by TensorBoard 2.21's own record writer: python tensorboard_events.py"""

import io

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


class Kept(io.BytesIO):
    def close(self):
        pass


def main():
    out = Kept()
    writer = RecordWriter(out)

    def write(**fields):
        writer.write(event_pb2.Event(**fields).SerializeToString())

    def row(time, step, values):
        rows = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values]
        write(wall_time=time, step=step, summary=summary_pb2.Summary(value=rows))

    write(wall_time=1700000000.5, file_version="brain.Event:2")
    write(wall_time=1700000000.5, step=7, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
    row(1700000000.5, 7, [("train/loss", 0.6931471805599453), ("train/rewards/margins", -1.5)])
    row(1700000002.0, 300, [("train/loss", 0.25), ("eval/loss", 1e-30)])
    print(out.getvalue().hex())


main()

"""Idle CPUs that do not halt: on a virtual machine a wake-up costs more than a hop, on both sides of it."""
import os


class IdlePolls:
    """While held, the kernel lets idle CPUs poll instead of halting (PM QoS: no wake-up latency). It ends with the
    process that holds it, however that ends."""

    def __init__(self):
        self.fd = None

    def __enter__(self):
        try:
            with open("/sys/devices/system/cpu/cpuidle/current_driver", encoding="ascii") as f:
                if f.read().strip() == "none":
                    return self
            self.fd = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
            os.write(self.fd, b"\0\0\0\0")
        except OSError:
            self.fd = None
        return self

    def __exit__(self, *_):
        if self.fd is not None:
            os.close(self.fd)

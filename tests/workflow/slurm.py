"""A real SLURM on this machine, for as long as a ``with`` block: one node, two pretended GPUs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ETC = Path("/etc/slurm")

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/d
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
{gather}
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
MpiDefault=none
ReturnToService=2
MinJobAge=600
KillWait=5
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 \
RealMemory=16000 Gres=gpu:fake:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
"""

GATHER = "JobAcctGatherType=jobacct_gather/none"
#: Memory is looked at every second, and a job that takes more than it asked for is killed.
ENFORCE = "JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherFrequency=task=1\nJobAcctGatherParams=OverMemoryKill"

GRES_CONF = """\
AutoDetect=off
NodeName={host} Name=gpu Type=fake File=/dev/null
NodeName={host} Name=gpu Type=fake File=/dev/zero
"""


def why_not() -> str | None:
    """Return why no SLURM can be started here, or None."""
    if not shutil.which("slurmctld") or not shutil.which("slurmd"):
        return "SLURM is not installed (Debian: slurm-wlm)"
    if os.geteuid() != 0:
        return "starting SLURM's daemons needs root"
    if (ETC / "slurm.conf").exists():
        return f"{ETC} belongs to a real cluster"
    return None


@contextmanager
def slurm(memory_is_enforced: bool = False) -> Iterator[None]:
    """Start the daemons, wait until the node is idle, and stop them at the end."""
    gather = ENFORCE if memory_is_enforced else GATHER
    host = socket.gethostname().split(".")[0]
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    for name in ("ctld", "d"):
        (folder / name).mkdir()
    ETC.mkdir(exist_ok=True)
    links = []
    for name, text in (("slurm.conf", SLURM_CONF), ("gres.conf", GRES_CONF)):
        (folder / name).write_text(text.format(host=host, folder=folder, gather=gather))
        (ETC / name).symlink_to(folder / name)
        links.append(ETC / name)
    try:
        subprocess.run(["slurmctld"], check=True)
        subprocess.run(["slurmd"], check=True)
        for _ in range(60):
            state = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, check=False).stdout
            if state.strip() == "idle":
                break
            time.sleep(0.5)
        else:
            raise RuntimeError(f"SLURM's node did not become idle: {(folder / 'slurmctld.log').read_text()[-2000:]}")
        yield
    finally:
        subprocess.run("scancel --user=root", shell=True, check=False)
        for pid in folder.glob("*.pid"):
            subprocess.run(["kill", pid.read_text().strip()], check=False)
        for link in links:
            link.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

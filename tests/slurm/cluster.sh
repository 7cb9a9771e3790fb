#!/bin/bash
# A real Slurm cluster on one Debian machine, for tests: node1 to node4, four CPUs each.
#
#     tests/slurm/cluster.sh install       Slurm's and munge's packages, where they are missing; as root
#     tests/slurm/cluster.sh can           whether this machine can run one: 0, or 1 and what it lacks
#     tests/slurm/cluster.sh up            starts it (again); as root
#     tests/slurm/cluster.sh env           prints what a shell needs: eval "$(tests/slurm/cluster.sh env)"
#     tests/slurm/cluster.sh crash NODE    as if its power had failed: all its processes are gone at once
#     tests/slurm/cluster.sh boot NODE     starts it again
#     tests/slurm/cluster.sh down          stops it and removes its folder
#
# Each node is a slurmd in namespaces of its own: host name, processes, /dev/shm, /etc/hosts. All sockets
# are on the loopback. Nothing is written outside the folder below; a Slurm of the machine is left alone.
# Partitions: main; scavenger and bare, whose jobs give way to those of main, with 30 s of grace and without.
#
# Environment: FT_SLURM_DIR, FT_SLURM_NODES (4), FT_SLURM_TIMEOUT (60): seconds until a silent node is down.
set -euo pipefail

folder=${FT_SLURM_DIR:-/run/finetune-slurm}
nodes=()
for ((i = 1; i <= ${FT_SLURM_NODES:-4}; i++)); do nodes+=("node$i"); done
cpus=4
controller_port=17910 # node i listens on the i-th port after it
PATH=$PATH:/usr/sbin:/sbin

export SLURM_CONF=$folder/slurm.conf

die() {
    echo "cluster.sh: $*" >&2
    exit 1
}

# the packages that are missing
missing() {
    local pair
    for pair in slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client munged:munge ps:procps; do
        command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
    done
}

install_missing() {
    local packages
    mapfile -t packages < <(missing)
    [ ${#packages[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || die "no apt here: install what holds these: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq install -y --no-install-recommends "${packages[@]}" ||
        { apt-get -qq update && apt-get -qq install -y --no-install-recommends "${packages[@]}"; } ||
        die "apt-get cannot install ${packages[*]}"
}

can() {
    [ "$(id -u)" = 0 ] || die "needs root, for the nodes' namespaces"
    [ -z "$(missing)" ] || die "no Slurm here: $(missing | tr '\n' ' ')missing; tests/slurm/cluster.sh install"
    unshare --uts --pid --mount --ipc --fork --mount-proc true 2>/dev/null ||
        die "this machine allows no namespaces (unshare: CAP_SYS_ADMIN)"
}

# is_running NAME COMMAND: the process in run/NAME.pid lives and is that program
is_running() {
    local pid
    pid=$(cat "$folder/run/$1.pid" 2>/dev/null) || return 1
    [ "$(ps -o comm= -p "$pid" 2>/dev/null)" = "$2" ] && [[ $(ps -o stat= -p "$pid") != Z* ]]
}

# stop NAME COMMAND SIGNAL
stop() {
    local i pid
    is_running "$1" "$2" || return 0
    pid=$(cat "$folder/run/$1.pid")
    kill -"$3" "$pid"
    for ((i = 0; i < 100; i++)); do
        is_running "$1" "$2" || return 0
        sleep 0.1
    done
    kill -KILL "$pid" || true
}

write_configuration() {
    local i
    cat >"$folder/slurm.conf" <<CONF
ClusterName=finetune
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$controller_port
SlurmUser=root
SlurmdUser=root
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
CredType=cred/munge
# a requeued job waits until its old credential has expired: 120 s unless one asks for less
AuthInfo=socket=$folder/munge/socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
TmpFS=$folder/tmp/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
MailProg=/bin/true
# the nodes claim more CPUs than the machine has: no cgroups, no binding by Slurm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
MpiDefault=none
JobRequeue=1
ReturnToService=2
KillWait=10
SlurmdTimeout=${FT_SLURM_TIMEOUT:-60}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
CONF
    for ((i = 0; i < ${#nodes[@]}; i++)); do
        echo "NodeName=${nodes[i]} NodeHostname=${nodes[i]} NodeAddr=127.0.0.1" \
            "Port=$((controller_port + 1 + i)) CPUs=$cpus RealMemory=2000"
    done >>"$folder/slurm.conf"
    cat >>"$folder/slurm.conf" <<CONF
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=scavenger Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=30
PartitionName=bare Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
CONF
    echo "CgroupAutomount=no" >"$folder/cgroup.conf"
    # the other fences of Slurm 22.05 now and then let a rank out of MPI_Init before its peers are ready
    echo "PMIxCollFence=ring" >"$folder/mpi.conf"
    {
        echo "127.0.0.1 localhost"
        printf '127.0.0.1 %s\n' "$(hostname -s)" "${nodes[@]}"
    } >"$folder/hosts"
}

start_munge() {
    local munge=$folder/munge
    install -d -m 755 "$munge"
    install -d -m 700 "$munge/private"
    (umask 077 && head -c 128 /dev/urandom >"$munge/private/key")
    munged --key-file="$munge/private/key" --seed-file="$munge/private/seed" \
        --log-file="$munge/private/log" --pid-file="$folder/run/munged.pid" \
        --socket="$munge/socket" || die "munged does not start; see $munge/private/log"
}

# The node's first process is this shell, which collects what job steps leave behind; with unshare it ends,
# and with it everything in the node.
start_node() {
    install -d "$folder/spool/$1"
    install -d -m 1777 "$folder/tmp/$1"
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid unshare --uts --pid --mount --ipc --fork --kill-child --mount-proc --propagation private \
        bash -c '
            hostname "$1"
            mount -t tmpfs -o size=1g,mode=1777 shm /dev/shm
            mount --bind "$2/hosts" /etc/hosts
            slurmd -N "$1"
            while :; do sleep 60 & wait $!; done' "$1" "$1" "$folder" \
        </dev/null >>"$folder/log/$1.log" 2>&1 &
    echo $! >"$folder/run/$1.pid"
}

wait_for_nodes() {
    local i
    for ((i = 0; i < 150; i++)); do
        [ "$(sinfo -h -N -p main -o '%t' 2>/dev/null | grep -c '^idle$')" -eq ${#nodes[@]} ] && return
        sleep 0.2
    done
    sinfo -N >&2 || true
    die "not every node came up; see $folder/log"
}

up() {
    can
    down
    install -d -m 755 "$folder" "$folder"/{run,log,state,spool,tmp}
    write_configuration
    start_munge
    slurmctld || die "slurmctld does not start; see $folder/log"
    local node
    for node in "${nodes[@]}"; do start_node "$node"; done
    wait_for_nodes
    echo "Slurm is up: ${nodes[*]}"
}

down() {
    local file
    for file in "$folder"/run/node*.pid; do
        file=${file##*/}
        stop "${file%.pid}" unshare KILL
    done
    stop slurmctld slurmctld TERM
    stop munged munged TERM
    [ ! -e "$folder" ] || [ -e "$folder/slurm.conf" ] || die "$folder is no cluster of ours"
    rm -rf "${folder:?}"
}

# the loopback for Open MPI too; processes and threads that wait leave their core to others
environment() {
    echo "export SLURM_CONF=$folder/slurm.conf"
    echo "export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo"
    echo "export OMPI_MCA_mpi_yield_when_idle=1 OMP_WAIT_POLICY=passive"
}

case ${1:-} in
install) install_missing ;;
can) can ;;
up) up ;;
down) down ;;
env) environment ;;
crash) stop "$2" unshare KILL ;;
boot) start_node "$2" ;;
*) die "usage: cluster.sh install|can|up|env|crash NODE|boot NODE|down" ;;
esac

"""A ROS 2 process that stands in for what surrounds shuffledet_node: cameras, tools, a clock.

    python peer.py                reads commands from standard input, one JSON object a line, until it ends
    python peer.py COMMAND...     the same commands as arguments

Each command is answered by one line, `{"answer": ...}` or `{"error": "..."}`, in order. Messages of subscribed topics come
as lines of their own in between: `{"topic": ..., "at_ns": ..., "message": ...}`, with the time of arrival on the monotonic
clock. A command is `{"do": NAME, ...}`, NAME a method of Peer, its arguments the rest. What needs another process waits
for it, at most `timeout` seconds. The environment decides on the domain (ROS_DOMAIN_ID) and on Fast DDS's profile
(FASTRTPS_DEFAULT_PROFILES_FILE=fastdds.xml for raw images).
"""

import itertools
import json
import sys
import threading
import time

import rclpy
from builtin_interfaces.msg import Time
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState
from rcl_interfaces import srv as parameter_services
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rosgraph_msgs.msg import Clock

import frames
from messages import fill, find_type, parameter, parameter_value, qos, qos_to_json, to_json

TIMEOUT = 10.0


class Peer:
    def __init__(self, name="peer"):
        rclpy.init()
        self.node = rclpy.create_node(name)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.publishers, self.subscriptions, self.clients, self.background = {}, {}, {}, {}
        self.changed = threading.Condition()  # something arrived
        self.output = threading.Lock()
        self.clock_ns = None
        self.spinning = threading.Thread(target=self.spin, daemon=True)
        self.spinning.start()

    def spin(self):
        try:
            self.executor.spin()
        except ExternalShutdownException:
            pass

    def close(self):
        for _, stop, _ in self.background.values():
            stop.set()
        for thread, _, _ in self.background.values():
            thread.join()
        rclpy.shutdown()
        self.spinning.join()

    def tell(self, line):
        with self.output:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def until(self, what, condition, timeout):
        deadline = time.monotonic() + timeout
        with self.changed:
            while not condition():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no {what} within {timeout} s")
                self.changed.wait(0.01)

    # --- topics ------------------------------------------------------------------------------------------------------

    def subscribe(self, topic, type, qos=None, tell=True, timeout=None):
        """Tells the topic's messages from now on. With a timeout, waits for a publisher."""

        def arrived(message):
            line = {"topic": topic, "at_ns": time.monotonic_ns(), "message": to_json(message)}
            with self.changed:
                self.changed.notify_all()
            if tell:
                self.tell(line)

        self.subscriptions[topic] = self.node.create_subscription(find_type(type), topic, arrived, profile(qos))
        if timeout:
            self.until(f"publisher of {topic}", lambda: self.node.count_publishers(topic) > 0, timeout)

    def unsubscribe(self, topic):
        self.node.destroy_subscription(self.subscriptions.pop(topic))

    def advertise(self, topic, type, qos=None, timeout=None):
        """With a timeout, waits for a subscription that matches."""
        publisher = self.node.create_publisher(find_type(type), topic, profile(qos))
        self.publishers[topic] = publisher
        if timeout:
            self.until(f"subscription to {topic}", lambda: publisher.get_subscription_count() > 0, timeout)
            # the other side may notice the match a little later, and loses what comes before by best effort
            time.sleep(0.2)

    def withdraw(self, topic):
        self.node.destroy_publisher(self.publishers.pop(topic))

    def publish(self, topic, message):
        publisher = self.publishers[topic]
        publisher.publish(fill(publisher.msg_type(), message))

    def play(self, topic, bag=None, bag_topic=None, made=None, start=0, count=None, rate_hz=None, stamps="keep",
             acknowledged_by=None, timeout=TIMEOUT, background=None):  # fmt: skip
        """Publishes images of a bag, over and over if `count` is greater, or made ones, on an advertised topic.

        stamps: keep, now (system time), clock (that of `clock`), a list, one for each image, in nanoseconds, or a number:
        so many seconds from now.
        acknowledged_by: a topic of detections. Without a rate, each image waits for the detections of its stamp; with
        one, waits at the end until nothing has come for half a second.
        background: a name for `stop`; returns at once.
        Answers the stamps, and of each the milliseconds from publishing to the detections' arrival (null: none came).
        """
        arguments = (topic, bag, bag_topic, made, start, count, rate_hz, stamps, acknowledged_by, timeout)
        if background:
            return self.start(background, self.play_now, *arguments)
        return self.play_now(*arguments)

    def play_now(self, topic, bag, bag_topic, made, start, count, rate_hz, stamps, acknowledged_by, timeout, stop=None):
        # made pictures move, as a camera's do
        source = (
            list(frames.recorded(bag, bag_topic))
            if bag
            else [frames.made(**made, moved=moved) for moved in range(0, 16, 4)]
        )
        images = itertools.islice(itertools.cycle(source), start, None)
        limit = count if count is not None else len(source) - start if bag else 1
        publisher, sent, arrivals, subscription = self.publishers[topic], {}, {}, None
        if acknowledged_by:

            def acknowledged(message):
                stamp = message.header.stamp
                with self.changed:
                    arrivals.setdefault(stamp.sec * 10**9 + stamp.nanosec, time.monotonic_ns())
                    self.changed.notify_all()

            type = find_type("vision_msgs/msg/Detection2DArray")
            subscription = self.node.create_subscription(type, acknowledged_by, acknowledged, qos(depth=1000))
            self.until(
                f"publisher of {acknowledged_by}", lambda: self.node.count_publishers(acknowledged_by) > 0, timeout
            )
        next_at = time.monotonic()
        for index, image in enumerate(itertools.islice(images, limit)):
            if stop is not None and stop.is_set():
                break
            stamp = self.stamp(stamps, index, image)
            image = frames.stamped(image, stamp)
            sent[stamp] = time.monotonic_ns()
            publisher.publish(image)
            if rate_hz:
                next_at += 1 / rate_hz
                time.sleep(max(0.0, next_at - time.monotonic()))
            elif acknowledged_by:
                self.until(f"detections of stamp {stamp} (image {index})", lambda: stamp in arrivals, timeout)
        if subscription:
            while rate_hz and len(arrivals) < len(sent):
                before = len(arrivals)
                time.sleep(0.5)
                if len(arrivals) == before:
                    break
            self.node.destroy_subscription(subscription)
        latency = [(arrivals[s] - at) / 1e6 if s in arrivals else None for s, at in sent.items()]
        return {"stamps": list(sent), "latency_ms": latency}

    def stamp(self, stamps, index, image):
        if isinstance(stamps, list):
            return stamps[index]
        if isinstance(stamps, (int, float)):
            return time.time_ns() + round(stamps * 1e9)
        return {"keep": lambda: frames.stamp_of(image), "now": time.time_ns, "clock": lambda: self.clock_ns}[stamps]()

    # --- what goes on in the background -------------------------------------------------------------------------------

    def start(self, name, work, *arguments):
        stop, result = threading.Event(), {}

        def run():
            try:
                result["answer"] = work(*arguments, stop=stop)
            except Exception as error:  # told by stop
                result["error"] = error

        thread = threading.Thread(target=run, daemon=True)
        self.background[name] = (thread, stop, result)
        thread.start()

    def stop(self, name, finish=False):
        """Ends what goes on in the background (or, to `finish`, waits for its end), and answers its result."""
        thread, stop, result = self.background.pop(name)
        if not finish:
            stop.set()
        thread.join()
        if "error" in result:
            raise result["error"]
        return result["answer"]

    def beside(self, name, command):
        """Runs another command in the background; `stop` with `finish` answers its result."""
        method, arguments = getattr(self, command["do"]), {key: command[key] for key in command if key != "do"}

        def run(stop):
            return method(**arguments)

        self.start(name, run)

    def clock(self, start_ns=10**18, speed=1.0, rate_hz=100.0, background="clock"):
        """Publishes /clock, from start_ns at a speed, until `stop`. Called again after that, it may jump."""

        def run(stop):
            publisher = self.node.create_publisher(Clock, "/clock", qos(depth=1, reliability="best_effort"))
            began = time.monotonic_ns()
            while not stop.wait(1 / rate_hz):
                self.clock_ns = start_ns + round((time.monotonic_ns() - began) * speed)
                seconds, nanoseconds = divmod(self.clock_ns, 10**9)
                publisher.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))
            self.node.destroy_publisher(publisher)
            return self.clock_ns

        self.clock_ns = start_ns
        self.start(background, run)

    # --- services ----------------------------------------------------------------------------------------------------

    def call(self, name, service, request, timeout):
        if name not in self.clients:
            self.clients[name] = self.node.create_client(service, name)
        client = self.clients[name]
        if not client.wait_for_service(timeout_sec=timeout):
            raise TimeoutError(f"no service {name} within {timeout} s")
        future = client.call_async(request)
        self.until(f"answer of {name}", future.done, timeout)
        return future.result()

    def service(self, name, type, request=None, timeout=TIMEOUT):
        """Any service."""
        service = find_type(type)
        return to_json(self.call(name, service, fill(service.Request(), request or {}), timeout))

    def parameters(self, call, node="/shuffledet", timeout=TIMEOUT, **request):
        """call: list (prefixes, depth), get (names), types (names), describe (names), set (values), set_atomically
        (values); values are an object. Get answers an object of plain values."""
        name, service = {
            "list": ("list_parameters", parameter_services.ListParameters),
            "get": ("get_parameters", parameter_services.GetParameters),
            "types": ("get_parameter_types", parameter_services.GetParameterTypes),
            "describe": ("describe_parameters", parameter_services.DescribeParameters),
            "set": ("set_parameters", parameter_services.SetParameters),
            "set_atomically": ("set_parameters_atomically", parameter_services.SetParametersAtomically),
        }[call]
        if "values" in request:
            request = {"parameters": [parameter(name, value) for name, value in request["values"].items()]}
        answer = self.call(f"{node}/{name}", service, service.Request(**request), timeout)
        if call == "get":
            return dict(zip(request["names"], map(parameter_value, answer.values)))
        return to_json(answer)

    def lifecycle(self, call, node="/shuffledet", transition=None, timeout=TIMEOUT):
        """call: get_state, change_state (transition: its label or number), get_available_states,
        get_available_transitions, get_transition_graph."""
        service = {
            "get_state": GetState,
            "change_state": ChangeState,
            "get_available_states": GetAvailableStates,
        }.get(call, GetAvailableTransitions)
        request = service.Request()
        if isinstance(transition, str):
            request.transition.label = transition
        elif transition is not None:
            request.transition.id = transition
        return to_json(self.call(f"{node}/{call}", service, request, timeout))

    # --- the graph ---------------------------------------------------------------------------------------------------

    def nodes(self):
        """Name, namespace and enclave of every node."""
        return sorted(self.node.get_node_names_and_namespaces_with_enclaves())

    def topics(self):
        return dict(self.node.get_topic_names_and_types())

    def services(self):
        return dict(self.node.get_service_names_and_types())

    def endpoints(self, topic, subscriptions=None, timeout=TIMEOUT):
        """Who publishes and who subscribes, and with which QoS; waits until there are so many subscriptions."""
        if subscriptions is not None:
            self.until(
                f"{subscriptions} subscriptions to {topic}",
                lambda: self.node.count_subscribers(topic) == subscriptions,
                timeout,
            )

        def tell(endpoints):
            return [
                {"node": e.node_name, "namespace": e.node_namespace, "type": e.topic_type, "qos": qos_to_json(e.qos_profile)}
                for e in endpoints
            ]  # fmt: skip

        return {
            "publishers": tell(self.node.get_publishers_info_by_topic(topic)),
            "subscriptions": tell(self.node.get_subscriptions_info_by_topic(topic)),
        }

    def await_node(self, node="/shuffledet", gone=False, timeout=TIMEOUT):
        """Waits until a node is there, or is there no more."""
        namespace, _, name = node.rpartition("/")
        wanted = (name, namespace or "/")
        self.until(
            f"{'end' if gone else 'start'} of {node}",
            lambda: (wanted in self.node.get_node_names_and_namespaces()) != gone,
            timeout,
        )


def profile(given):
    return qos(**given) if isinstance(given, dict) else qos()


def main():
    peer = Peer()
    for line in sys.argv[1:] or sys.stdin:
        try:
            command = json.loads(line)
            peer.tell({"answer": getattr(peer, command.pop("do"))(**command)})
        except Exception as error:  # the test decides what it means
            peer.tell({"error": f"{type(error).__name__}: {error}"})
    peer.close()


if __name__ == "__main__":
    main()

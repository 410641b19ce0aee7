# shuffledet_node on ROS 2 Jazzy. Build: docker build -t shuffledet . ; run: docker run --rm --net=host shuffledet
FROM ros:jazzy-ros-base AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        python3-pip python3-venv ros-jazzy-vision-msgs ros-jazzy-visualization-msgs \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# installs what is missing: compilers, OpenCV's headers, Rust, ONNX Runtime
RUN source /opt/ros/jazzy/setup.bash \
    && make build \
    && make install DESTDIR=/installed PREFIX=/usr/local

FROM ros:jazzy-ros-core
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libopencv-core406t64 libopencv-imgcodecs406t64 libopencv-imgproc406t64 libopencv-videoio406t64 \
        ros-jazzy-diagnostic-msgs ros-jazzy-launch-ros ros-jazzy-ros2launch ros-jazzy-sensor-msgs \
        ros-jazzy-vision-msgs ros-jazzy-visualization-msgs \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /installed/ /
# the entry point of the image puts the ROS 2 before it
ENV AMENT_PREFIX_PATH=/usr/local XDG_CACHE_HOME=/tmp/cache ROS_LOG_DIR=/tmp/log
USER 1000:1000
CMD ["ros2", "launch", "shuffledet", "shuffledet.launch.py"]

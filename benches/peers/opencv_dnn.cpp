// One thread of OpenCV's DNN module: reads an ONNX model and an input tensor of raw float32, and runs the model.
//
//     opencv_dnn MODEL.onnx INPUT.f32 SIZE WARM_UPS RUNS OUTPUT.f32 NAME...
//
// The input is 1x3xSIZExSIZE. Writes the outputs called NAME to OUTPUT.f32, one after the other, and prints one JSON
// object: {"version", "runs_ms"}. What OpenCV cannot do ends with its message on standard error and status 1.
//
//     c++ -O2 -o opencv_dnn opencv_dnn.cpp $(pkg-config --cflags opencv4) -lopencv_dnn -lopencv_core

#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

static int run(const std::string &model, const std::string &input, int size, int warm_ups, int runs,
               const std::string &output, const std::vector<std::string> &names) {
    cv::setNumThreads(1);
    cv::dnn::Net net = cv::dnn::readNetFromONNX(model);
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);

    cv::Mat tensor(std::vector<int>{1, 3, size, size}, CV_32F);
    std::ifstream in(input, std::ios::binary);
    if (!in.read(reinterpret_cast<char *>(tensor.data), tensor.total() * tensor.elemSize())) {
        std::cerr << input << ": shorter than 1x3x" << size << "x" << size << " of float32\n";
        return 1;
    }

    std::vector<cv::Mat> outputs;
    std::string runs_ms;
    for (int i = 0; i < warm_ups + runs; ++i) {
        const auto start = std::chrono::steady_clock::now();
        net.setInput(tensor);
        net.forward(outputs, names);
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        if (i >= warm_ups) {
            runs_ms += (runs_ms.empty() ? "" : ", ") + std::to_string(took.count());
        }
    }

    std::ofstream out(output, std::ios::binary);
    for (const cv::Mat &mat : outputs) {
        out.write(reinterpret_cast<const char *>(mat.data), mat.total() * mat.elemSize());
    }
    std::cout << "{\"version\": \"" << CV_VERSION << "\", \"runs_ms\": [" << runs_ms << "]}\n";
    return out.flush() ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc < 8) {
        std::cerr << "usage: opencv_dnn MODEL.onnx INPUT.f32 SIZE WARM_UPS RUNS OUTPUT.f32 NAME...\n";
        return 2;
    }
    try {
        return run(argv[1], argv[2], std::stoi(argv[3]), std::stoi(argv[4]), std::stoi(argv[5]), argv[6],
                   {argv + 7, argv + argc});
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
